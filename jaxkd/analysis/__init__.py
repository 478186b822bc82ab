"""Dark knowledge, measured (`metrics`) and drawn (`figures`)."""
