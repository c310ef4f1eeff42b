"""What models are made of: training of the networks that ship."""
