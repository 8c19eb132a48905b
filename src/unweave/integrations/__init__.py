"""The metrics as other libraries want them; each module needs its library."""
