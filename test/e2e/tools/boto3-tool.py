"""A program with boto3, as people write them. For each line on its input it asks who it is, and prints the answer."""

import os
import sys

import boto3

client = boto3.client("sts", endpoint_url=os.environ["AWS_ENDPOINT_URL"])  # older ones don't read it themselves
for _ in sys.stdin:
    try:
        print(client.get_caller_identity()["Arn"], flush=True)
    except Exception as error:
        print(f"failed: {error}", flush=True)
