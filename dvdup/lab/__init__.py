"""How good dvdup is and where its numbers come from; nothing but the command line uses it."""
