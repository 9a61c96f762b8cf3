# Written by `npm run docs` from src/aws/policies and the policies of src/kinds; change them there.

variable "organization_id" {
  description = "id of the organization, o-…"
  type        = string
}

variable "queue_name" {
  description = "name of the queue of events"
  type        = string
  default     = "sallyport-events"
}

variable "bus_name" {
  description = "name of the bus that accounts forward to"
  type        = string
  default     = "sallyport"
}

variable "trail_bucket" {
  description = "bucket of a trail whose records are read there instead; empty: none"
  type        = string
  default     = ""
}

variable "trail_account" {
  description = "account of that bucket; empty: this one"
  type        = string
  default     = ""
}

data "aws_partition" "current" {}

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  trail_account = var.trail_account == "" ? data.aws_caller_identity.current.account_id : var.trail_account
  topic_arn     = "arn:${data.aws_partition.current.partition}:sns:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:${var.queue_name}"
}

resource "aws_sqs_queue" "dead" {
  name                      = "${var.queue_name}-dead"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue" "events" {
  name                       = var.queue_name
  visibility_timeout_seconds = 120
  message_retention_seconds  = 345600
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = 5
  })
}

# only the rule and the topic of this module fill the queue
resource "aws_sqs_queue_policy" "events" {
  queue_url = aws_sqs_queue.events.url
  policy    = <<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "RulesMaySend",
          "Effect": "Allow",
          "Principal": {
            "Service": "events.amazonaws.com"
          },
          "Action": "sqs:SendMessage",
          "Resource": "${aws_sqs_queue.events.arn}",
          "Condition": {
            "ArnEquals": {
              "aws:SourceArn": [
                "${aws_cloudwatch_event_rule.bus.arn}"
              ]
            }
          }
        },
        {
          "Sid": "TopicMaySend",
          "Effect": "Allow",
          "Principal": {
            "Service": "sns.amazonaws.com"
          },
          "Action": "sqs:SendMessage",
          "Resource": "${aws_sqs_queue.events.arn}",
          "Condition": {
            "ArnEquals": {
              "aws:SourceArn": "${local.topic_arn}"
            }
          }
        },
        {
          "Sid": "TlsOnly",
          "Effect": "Deny",
          "Principal": "*",
          "Action": "sqs:*",
          "Resource": "${aws_sqs_queue.events.arn}",
          "Condition": {
            "Bool": {
              "aws:SecureTransport": "false"
            }
          }
        }
      ]
    }
  JSON
}

resource "aws_cloudwatch_event_bus" "events" {
  name = var.bus_name
}

# only the forwarders' roles put events on the bus
resource "aws_cloudwatch_event_bus_policy" "events" {
  event_bus_name = aws_cloudwatch_event_bus.events.name
  policy         = <<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "ForwardersMayPut",
          "Effect": "Allow",
          "Principal": {
            "AWS": "*"
          },
          "Action": "events:PutEvents",
          "Resource": "${aws_cloudwatch_event_bus.events.arn}",
          "Condition": {
            "StringEquals": {
              "aws:PrincipalOrgID": "${var.organization_id}"
            },
            "ArnLike": {
              "aws:PrincipalArn": "arn:${data.aws_partition.current.partition}:iam::*:role/sallyport/SallyportForward"
            }
          }
        }
      ]
    }
  JSON
}

resource "aws_cloudwatch_event_rule" "bus" {
  name           = "sallyport-events"
  event_bus_name = aws_cloudwatch_event_bus.events.name
  event_pattern  = <<-JSON
    {
      "source": [
        {
          "prefix": "aws."
        },
        "sallyport"
      ]
    }
  JSON
}

resource "aws_cloudwatch_event_target" "bus" {
  rule           = aws_cloudwatch_event_rule.bus.name
  event_bus_name = aws_cloudwatch_event_bus.events.name
  arn            = aws_sqs_queue.events.arn
}

# records of CloudTrail in a bucket: its owner sends s3:ObjectCreated:* of keys that end in .json.gz to this topic
resource "aws_sns_topic" "trail" {
  count = var.trail_bucket == "" ? 0 : 1
  name  = var.queue_name
}

resource "aws_sns_topic_policy" "trail" {
  count  = var.trail_bucket == "" ? 0 : 1
  arn    = aws_sns_topic.trail[0].arn
  policy = <<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "BucketMayTell",
          "Effect": "Allow",
          "Principal": {
            "Service": "s3.amazonaws.com"
          },
          "Action": "sns:Publish",
          "Resource": "${local.topic_arn}",
          "Condition": {
            "StringEquals": {
              "aws:SourceAccount": "${local.trail_account}"
            },
            "ArnEquals": {
              "aws:SourceArn": "arn:${data.aws_partition.current.partition}:s3:::${var.trail_bucket}"
            }
          }
        }
      ]
    }
  JSON
}

resource "aws_sns_topic_subscription" "trail" {
  count     = var.trail_bucket == "" ? 0 : 1
  topic_arn = aws_sns_topic.trail[0].arn
  protocol  = "sqs"
  endpoint  = aws_sqs_queue.events.arn
}

output "queue_url" {
  description = "inventory.events.queue"
  value       = aws_sqs_queue.events.url
}

output "bus_arn" {
  value = aws_cloudwatch_event_bus.events.arn
}
