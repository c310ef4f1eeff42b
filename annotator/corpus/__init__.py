"""What is to be annotated: files, their clips, and the text that is known of them."""
