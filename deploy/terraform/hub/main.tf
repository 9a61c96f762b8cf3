# Written by `npm run docs` from src/aws/policies and the policies of src/kinds; change them there.

variable "compute_arn" {
  description = "ARN of the identity that the daemon runs as"
  type        = string
}

variable "hub_role_name" {
  description = "name of the hub role"
  type        = string
  default     = "SallyportHub"
}

variable "external_id" {
  description = "ExternalId of this installation: `sallyport aws policies` shows it"
  type        = string
}

variable "organization_id" {
  description = "id of the organization, o-…"
  type        = string
}

variable "connect_role_path" {
  description = "path of the spoke role: aws.connect_role"
  type        = string
  default     = "/sallyport/"
}

variable "connect_role_name" {
  description = "name of the spoke role: aws.connect_role"
  type        = string
  default     = "SallyportConnect"
}

variable "event_queue" {
  description = "name of the queue of events and of its dead letters"
  type        = string
  default     = "sallyport-events*"
}

variable "trail_bucket" {
  description = "bucket that CloudTrail puts its records into, if they are read there"
  type        = string
  default     = "none"
}

data "aws_partition" "current" {}

locals {
  connect_role = "${trimprefix(var.connect_role_path, "/")}${var.connect_role_name}"
}

# trust policy of the hub role
#   sts:AssumeRole: the daemon becomes the hub
resource "aws_iam_role" "hub" {
  name = var.hub_role_name

  assume_role_policy = <<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "ComputeMayAssume",
          "Effect": "Allow",
          "Principal": {
            "AWS": "${var.compute_arn}"
          },
          "Action": "sts:AssumeRole",
          "Condition": {
            "StringEquals": {
              "sts:ExternalId": "${var.external_id}"
            }
          }
        }
      ]
    }
  JSON
}

# permissions of the hub role
#   sts:AssumeRole: the hub becomes the spoke of an account
#   sts:TagSession: sessions carry the person, the grant, the session and the request
#   sts:SetSourceIdentity: CloudTrail names the person in every event
#   iam:SimulatePrincipalPolicy: aws validate says what the hub role is not allowed, and why
#   sqs:ReceiveMessage: hears of changes in AWS
#   sqs:DeleteMessage: removes what was followed
#   sqs:ChangeMessageVisibility: hides from others what is worked on, and gives back what is not done
#   sqs:GetQueueAttributes: counts what waits, here and in the dead letters
#   sqs:SendMessage: sends a probe through, for `aws validate`
#   s3:GetObject: reads the records of CloudTrail that the queue tells of
#   kms:Decrypt: only of what is encrypted under a key of its owner, and only through the service that keeps it
#   sso:ListInstances: finds the instance of the organization and its identity store
#   sso:ListPermissionSets: finds the permission sets
#   sso:DescribePermissionSet: reads the name of each, and how long its sessions last
#   sso:ListTagsForResource: reads the tags of permission sets
#   sso:ListManagedPoliciesInPermissionSet: finds permission sets that make their holders administrators
#   sso:ListCustomerManagedPolicyReferencesInPermissionSet: names the policies of the owner’s in each set
#   sso:GetInlinePolicyForPermissionSet: reads what else a permission set allows
#   sso:GetPermissionsBoundaryForPermissionSet: reads what bounds the roles of a permission set
#   sso:ListAccountsForProvisionedPermissionSet: finds the accounts that have a permission set
#   sso:ListAccountAssignmentsForPrincipal: finds what a group or a person is assigned, in the management account
#   sso:ListAccountAssignments: finds the same in a delegated administrator, account by account
#   identitystore:ListUsers: finds the people of Identity Center
#   identitystore:GetUserId: finds the user of a person, for groups that rules name
#   identitystore:DescribeUser: says what the user is called, and whether it is disabled
#   identitystore:ListGroups: finds the groups
#   identitystore:DescribeGroup: reads a group again that has changed
#   identitystore:ListGroupMemberships: reads the members of each group
#   organizations:DescribeOrganization: says which organization it is, and which its management account
#   organizations:ListRoots: the tree begins there
#   organizations:ListOrganizationalUnitsForParent: finds the units, level by level
#   organizations:ListAccounts: finds the accounts and their state
#   organizations:ListAccountsForParent: finds the unit of each account
#   organizations:ListParents: finds an account again that moved while the tree was read
#   organizations:DescribeOrganizationalUnit: reads a unit that was made while the tree was read
#   organizations:DescribeAccount: reads an account again that has changed
#   organizations:ListTagsForResource: reads the tags of accounts and units
resource "aws_iam_role_policy" "hub" {
  name = "sallyport"
  role = aws_iam_role.hub.id

  policy = <<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "CallSpokes",
          "Effect": "Allow",
          "Action": [
            "sts:AssumeRole",
            "sts:TagSession",
            "sts:SetSourceIdentity"
          ],
          "Resource": "arn:${data.aws_partition.current.partition}:iam::*:role/${local.connect_role}",
          "Condition": {
            "StringEquals": {
              "aws:ResourceOrgID": "${var.organization_id}"
            }
          }
        },
        {
          "Sid": "CheckOwnPermissions",
          "Effect": "Allow",
          "Action": "iam:SimulatePrincipalPolicy",
          "Resource": "arn:${data.aws_partition.current.partition}:iam::*:role/${var.hub_role_name}"
        },
        {
          "Sid": "ReadEvents",
          "Effect": "Allow",
          "Action": [
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:GetQueueAttributes",
            "sqs:SendMessage"
          ],
          "Resource": "arn:${data.aws_partition.current.partition}:sqs:*:*:${var.event_queue}",
          "Condition": {
            "StringEquals": {
              "aws:ResourceOrgID": "${var.organization_id}"
            }
          }
        },
        {
          "Sid": "ReadTrail",
          "Effect": "Allow",
          "Action": "s3:GetObject",
          "Resource": "arn:${data.aws_partition.current.partition}:s3:::${var.trail_bucket}/*",
          "Condition": {
            "StringEquals": {
              "aws:ResourceOrgID": "${var.organization_id}"
            }
          }
        },
        {
          "Sid": "DecryptTrail",
          "Effect": "Allow",
          "Action": "kms:Decrypt",
          "Resource": "arn:${data.aws_partition.current.partition}:kms:*:*:key/*",
          "Condition": {
            "StringEquals": {
              "aws:ResourceOrgID": "${var.organization_id}"
            },
            "StringLike": {
              "kms:ViaService": "s3.*.amazonaws.com"
            }
          }
        },
        {
          "Sid": "ReadIdentityCenter",
          "Effect": "Allow",
          "Action": [
            "sso:ListInstances",
            "sso:ListPermissionSets",
            "sso:DescribePermissionSet",
            "sso:ListTagsForResource",
            "sso:ListManagedPoliciesInPermissionSet",
            "sso:ListCustomerManagedPolicyReferencesInPermissionSet",
            "sso:GetInlinePolicyForPermissionSet",
            "sso:GetPermissionsBoundaryForPermissionSet",
            "sso:ListAccountsForProvisionedPermissionSet",
            "sso:ListAccountAssignmentsForPrincipal",
            "sso:ListAccountAssignments"
          ],
          "Resource": "*"
        },
        {
          "Sid": "ReadIdentityStore",
          "Effect": "Allow",
          "Action": [
            "identitystore:ListUsers",
            "identitystore:GetUserId",
            "identitystore:DescribeUser",
            "identitystore:ListGroups",
            "identitystore:DescribeGroup",
            "identitystore:ListGroupMemberships"
          ],
          "Resource": "*"
        },
        {
          "Sid": "DecryptIdentityCenter",
          "Effect": "Allow",
          "Action": "kms:Decrypt",
          "Resource": "arn:${data.aws_partition.current.partition}:kms:*:*:key/*",
          "Condition": {
            "StringLike": {
              "kms:ViaService": "sso.*.amazonaws.com*"
            },
            "StringEquals": {
              "aws:ResourceOrgID": "${var.organization_id}"
            }
          }
        },
        {
          "Sid": "DecryptIdentityStore",
          "Effect": "Allow",
          "Action": "kms:Decrypt",
          "Resource": "arn:${data.aws_partition.current.partition}:kms:*:*:key/*",
          "Condition": {
            "StringLike": {
              "kms:ViaService": "identitystore.*.amazonaws.com*"
            },
            "StringEquals": {
              "aws:ResourceOrgID": "${var.organization_id}"
            }
          }
        },
        {
          "Sid": "ReadOrganization",
          "Effect": "Allow",
          "Action": [
            "organizations:DescribeOrganization",
            "organizations:ListRoots",
            "organizations:ListOrganizationalUnitsForParent",
            "organizations:ListAccounts",
            "organizations:ListAccountsForParent",
            "organizations:ListParents",
            "organizations:DescribeOrganizationalUnit",
            "organizations:DescribeAccount",
            "organizations:ListTagsForResource"
          ],
          "Resource": "*"
        }
      ]
    }
  JSON
}

output "hub_role_arn" {
  value = aws_iam_role.hub.arn
}
