import { eventPatterns } from './event-patterns.ts'
import {
  busPolicy,
  type EventReferences,
  forwarder,
  forwarderPermissions,
  forwarderTrust,
  queuePolicy,
  topicPolicy,
} from './resource-policies.ts'

const references: EventReferences = {
  queueArn: `\${aws_sqs_queue.events.arn}`,
  ruleArns: [`\${aws_cloudwatch_event_rule.bus.arn}`],
  topicArn: `\${local.topic_arn}`,
  busArn: `\${aws_cloudwatch_event_bus.events.arn}`,
  organization: `\${var.organization_id}`,
  partition: `\${data.aws_partition.current.partition}`,
  account: `\${local.trail_account}`,
  bucket: `\${var.trail_bucket}`,
}

/**
 * Two Terraform modules: the queue of events, once in the hub's account, and what forwards events to it, in each account and region. Written the
 * way `terraform fmt` writes.
 * @param heading of each file
 */
export function renderEventModules(heading: string): Readonly<Record<string, string>> {
  return {
    'events/main.tf': `${heading}\n${queueModule()}`,
    'events-forward/main.tf': `${heading}\n${forwardModule()}`,
  }
}

const variable = (name: string, description: string, fallback?: string) =>
  `variable "${name}" {
  description = "${description}"
  type        = string
${fallback === undefined ? '' : `  default     = "${fallback}"\n`}}
`

const json = (document: object) => `<<-JSON\n${JSON.stringify(document, null, 2).replaceAll(/^/gm, '    ')}\n  JSON`

function queueModule(): string {
  return [
    variable('organization_id', 'id of the organization, o-…'),
    variable('queue_name', 'name of the queue of events', 'sallyport-events'),
    variable('bus_name', 'name of the bus that accounts forward to', 'sallyport'),
    variable('trail_bucket', 'bucket of a trail whose records are read there instead; empty: none', ''),
    variable('trail_account', 'account of that bucket; empty: this one', ''),
    'data "aws_partition" "current" {}\n',
    'data "aws_caller_identity" "current" {}\n',
    'data "aws_region" "current" {}\n',
    `locals {
  trail_account = var.trail_account == "" ? data.aws_caller_identity.current.account_id : var.trail_account
  topic_arn     = "arn:\${data.aws_partition.current.partition}:sns:\${data.aws_region.current.name}:\${data.aws_caller_identity.current.account_id}:\${var.queue_name}"
}
`,
    `resource "aws_sqs_queue" "dead" {
  name                      = "\${var.queue_name}-dead"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}
`,
    `resource "aws_sqs_queue" "events" {
  name                       = var.queue_name
  visibility_timeout_seconds = 120
  message_retention_seconds  = 345600
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = 5
  })
}
`,
    `# only the rule and the topic of this module fill the queue
resource "aws_sqs_queue_policy" "events" {
  queue_url = aws_sqs_queue.events.url
  policy    = ${json(queuePolicy(references))}
}
`,
    `resource "aws_cloudwatch_event_bus" "events" {
  name = var.bus_name
}
`,
    `# only the forwarders' roles put events on the bus
resource "aws_cloudwatch_event_bus_policy" "events" {
  event_bus_name = aws_cloudwatch_event_bus.events.name
  policy         = ${json(busPolicy(references))}
}
`,
    `resource "aws_cloudwatch_event_rule" "bus" {
  name           = "sallyport-events"
  event_bus_name = aws_cloudwatch_event_bus.events.name
  event_pattern  = ${json(eventPatterns.bus)}
}
`,
    `resource "aws_cloudwatch_event_target" "bus" {
  rule           = aws_cloudwatch_event_rule.bus.name
  event_bus_name = aws_cloudwatch_event_bus.events.name
  arn            = aws_sqs_queue.events.arn
}
`,
    `# records of CloudTrail in a bucket: its owner sends s3:ObjectCreated:* of keys that end in .json.gz to this topic
resource "aws_sns_topic" "trail" {
  count = var.trail_bucket == "" ? 0 : 1
  name  = var.queue_name
}
`,
    `resource "aws_sns_topic_policy" "trail" {
  count  = var.trail_bucket == "" ? 0 : 1
  arn    = aws_sns_topic.trail[0].arn
  policy = ${json(topicPolicy(references))}
}
`,
    `resource "aws_sns_topic_subscription" "trail" {
  count     = var.trail_bucket == "" ? 0 : 1
  topic_arn = aws_sns_topic.trail[0].arn
  protocol  = "sqs"
  endpoint  = aws_sqs_queue.events.arn
}
`,
    `output "queue_url" {
  description = "inventory.events.queue"
  value       = aws_sqs_queue.events.url
}
`,
    `output "bus_arn" {
  value = aws_cloudwatch_event_bus.events.arn
}
`,
  ].join('\n')
}

function forwardModule(): string {
  const rules = [
    ['calls', eventPatterns.calls],
    ['changes', eventPatterns.changes],
  ] as const
  return [
    variable('bus_arn', 'bus of the hub that events are forwarded to'),
    `variable "create_role" {
  description = "true in one region of each account: the role is the same in all"
  type        = bool
  default     = true
}
`,
    'data "aws_partition" "current" {}\n',
    'data "aws_caller_identity" "current" {}\n',
    `locals {
  role_arn = "arn:\${data.aws_partition.current.partition}:iam::\${data.aws_caller_identity.current.account_id}:role${forwarder.path}${forwarder.name}"
}
`,
    `resource "aws_iam_role" "forward" {
  count = var.create_role ? 1 : 0
  name  = "${forwarder.name}"
  path  = "${forwarder.path}"

  assume_role_policy = ${json(forwarderTrust())}
}
`,
    `resource "aws_iam_role_policy" "forward" {
  count = var.create_role ? 1 : 0
  name  = "sallyport"
  role  = aws_iam_role.forward[0].id

  policy = ${json(forwarderPermissions({ busArn: `\${var.bus_arn}` }))}
}
`,
    ...rules.map(
      ([name, pattern]) => `resource "aws_cloudwatch_event_rule" "${name}" {
  name          = "sallyport-${name}"
  event_pattern = ${json(pattern)}
}

resource "aws_cloudwatch_event_target" "${name}" {
  rule       = aws_cloudwatch_event_rule.${name}.name
  arn        = var.bus_arn
  role_arn   = local.role_arn
  depends_on = [aws_iam_role_policy.forward]
}
`,
    ),
  ].join('\n')
}
