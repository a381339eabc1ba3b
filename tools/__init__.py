"""Scripts that make what the package ships, and long tests by hand."""
