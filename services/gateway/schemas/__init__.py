"""What REST bodies look like. Names are those of the protos; bounds keep values inside what services store."""
