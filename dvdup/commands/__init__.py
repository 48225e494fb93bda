"""What the command line and scripts call, a module for each kind of command."""
