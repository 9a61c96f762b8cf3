# Written by `npm run docs` from src/aws/policies and the policies of src/kinds; change them there.

variable "bus_arn" {
  description = "bus of the hub that events are forwarded to"
  type        = string
}

variable "create_role" {
  description = "true in one region of each account: the role is the same in all"
  type        = bool
  default     = true
}

data "aws_partition" "current" {}

data "aws_caller_identity" "current" {}

locals {
  role_arn = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:role/sallyport/SallyportForward"
}

resource "aws_iam_role" "forward" {
  count = var.create_role ? 1 : 0
  name  = "SallyportForward"
  path  = "/sallyport/"

  assume_role_policy = <<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "EventBridgeMayAssume",
          "Effect": "Allow",
          "Principal": {
            "Service": "events.amazonaws.com"
          },
          "Action": "sts:AssumeRole"
        }
      ]
    }
  JSON
}

resource "aws_iam_role_policy" "forward" {
  count = var.create_role ? 1 : 0
  name  = "sallyport"
  role  = aws_iam_role.forward[0].id

  policy = <<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "ForwardEvents",
          "Effect": "Allow",
          "Action": "events:PutEvents",
          "Resource": "${var.bus_arn}"
        }
      ]
    }
  JSON
}

resource "aws_cloudwatch_event_rule" "calls" {
  name          = "sallyport-calls"
  event_pattern = <<-JSON
    {
      "detail-type": [
        "AWS API Call via CloudTrail",
        "AWS Service Event via CloudTrail"
      ],
      "source": [
        "aws.ec2",
        "aws.eks",
        "aws.iam",
        "aws.identitystore",
        "aws.organizations",
        "aws.rds",
        "aws.sso",
        "aws.sso-directory"
      ],
      "detail": {
        "errorCode": [
          {
            "exists": false
          }
        ],
        "eventName": [
          "AcceptHandshake",
          "AddMemberToGroup",
          "AddTagsToResource",
          "AssociateAccessPolicy",
          "AssociateIamInstanceProfile",
          "AttachRolePolicy",
          "CloseAccount",
          "CreateAccessEntry",
          "CreateAccountAssignment",
          "CreateAccountResult",
          "CreateCluster",
          "CreateDBCluster",
          "CreateDBClusterEndpoint",
          "CreateDBInstance",
          "CreateDBInstanceReadReplica",
          "CreateDBProxy",
          "CreateGroup",
          "CreateGroupMembership",
          "CreateOrganizationalUnit",
          "CreatePermissionSet",
          "CreateRole",
          "CreateTags",
          "CreateUser",
          "DeleteAccessEntry",
          "DeleteAccountAssignment",
          "DeleteCluster",
          "DeleteDBCluster",
          "DeleteDBClusterEndpoint",
          "DeleteDBInstance",
          "DeleteDBProxy",
          "DeleteGroup",
          "DeleteGroupMembership",
          "DeleteOrganizationalUnit",
          "DeletePermissionSet",
          "DeleteRole",
          "DeleteRolePermissionsBoundary",
          "DeleteRolePolicy",
          "DeleteTags",
          "DeleteUser",
          "DetachRolePolicy",
          "DisassociateAccessPolicy",
          "DisassociateIamInstanceProfile",
          "FailoverDBCluster",
          "LeaveOrganization",
          "ModifyDBCluster",
          "ModifyDBClusterEndpoint",
          "ModifyDBInstance",
          "ModifyDBProxy",
          "ModifyInstanceMetadataOptions",
          "MoveAccount",
          "PromoteReadReplica",
          "ProvisionPermissionSet",
          "PutRolePermissionsBoundary",
          "PutRolePolicy",
          "RemoveAccountFromOrganization",
          "RemoveMemberFromGroup",
          "RemoveTagsFromResource",
          "ReplaceIamInstanceProfileAssociation",
          "RestoreDBClusterFromS3",
          "RestoreDBClusterFromSnapshot",
          "RestoreDBClusterToPointInTime",
          "RestoreDBInstanceFromDBSnapshot",
          "RestoreDBInstanceFromS3",
          "RestoreDBInstanceToPointInTime",
          "RunInstances",
          "StartDBCluster",
          "StartDBInstance",
          "StartInstances",
          "StopDBCluster",
          "StopDBInstance",
          "StopInstances",
          "TagResource",
          "TagRole",
          "TerminateInstances",
          "UntagResource",
          "UntagRole",
          "UpdateAccessEntry",
          "UpdateAssumeRolePolicy",
          "UpdateClusterConfig",
          "UpdateGroup",
          "UpdateOrganizationalUnit",
          "UpdatePermissionSet",
          "UpdateRole",
          "UpdateUser"
        ]
      }
    }
  JSON
}

resource "aws_cloudwatch_event_target" "calls" {
  rule       = aws_cloudwatch_event_rule.calls.name
  arn        = var.bus_arn
  role_arn   = local.role_arn
  depends_on = [aws_iam_role_policy.forward]
}

resource "aws_cloudwatch_event_rule" "changes" {
  name          = "sallyport-changes"
  event_pattern = <<-JSON
    {
      "detail-type": [
        "EC2 Instance State-change Notification",
        "Tag Change on Resource"
      ],
      "source": [
        "aws.ec2",
        "aws.tag"
      ]
    }
  JSON
}

resource "aws_cloudwatch_event_target" "changes" {
  rule       = aws_cloudwatch_event_rule.changes.name
  arn        = var.bus_arn
  role_arn   = local.role_arn
  depends_on = [aws_iam_role_policy.forward]
}
