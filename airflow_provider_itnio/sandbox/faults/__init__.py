"""What goes wrong on purpose: asked for, at random, or by a test number. Imports no other folder."""
