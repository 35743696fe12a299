"""The local file as a file: locked, opened, watched for changes, copied, set aside."""
