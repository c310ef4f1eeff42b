"""Labels that people gave elsewhere, read from files into the store."""
