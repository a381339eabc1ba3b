"""`resect view`: a run in a browser on this machine: progress while it runs, every answer."""
