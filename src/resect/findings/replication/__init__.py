"""The audit of the one published study: its own metrics and claims beside ours."""
