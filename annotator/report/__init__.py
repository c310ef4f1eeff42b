"""One HTML file that shows a corpus, what a model says of it, and how far to trust that."""
