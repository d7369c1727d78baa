"""Settings of communities: what a settings file may say, and how it gets into the warehouse."""
