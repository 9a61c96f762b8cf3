# Written by `npm run docs` from src/aws/policies and the policies of src/kinds; change them there.

variable "hub_role_arn" {
  description = "ARN of the hub role"
  type        = string
}

variable "external_id" {
  description = "ExternalId of this installation: `sallyport aws policies` shows it"
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

variable "revocation_policy_path" {
  description = "path of the boundary policy: aws.revocation_policy"
  type        = string
  default     = "/sallyport/"
}

variable "revocation_policy_name" {
  description = "name of the boundary policy: aws.revocation_policy"
  type        = string
  default     = "SallyportRevocations"
}

variable "database_users" {
  description = "names of database users, with wildcards"
  type        = string
  default     = "sallyport_*"
}

variable "session_keys" {
  description = "ids of keys of KMS that encrypt sessions, with wildcards"
  type        = string
  default     = "*"
}

variable "session_documents" {
  description = "names of session documents, with wildcards"
  type        = string
  default     = "Sallyport-*"
}

variable "issuer" {
  description = "issuer of the OpenID provider without https://"
  type        = string
  default     = ""
}

variable "client_id" {
  description = "the broker's client id there"
  type        = string
  default     = "sallyport"
}

data "aws_partition" "current" {}

data "aws_caller_identity" "current" {}

locals {
  connect_role      = "${trimprefix(var.connect_role_path, "/")}${var.connect_role_name}"
  revocation_policy = "${trimprefix(var.revocation_policy_path, "/")}${var.revocation_policy_name}"
}

# trust policy of the spoke role
#   sts:AssumeRole: the hub, with this installation’s ExternalId and no other
#   sts:TagSession: sessions carry the person, the grant, the session and the request
#   sts:SetSourceIdentity: CloudTrail names the person in every event
resource "aws_iam_role" "connect" {
  name = var.connect_role_name
  path = var.connect_role_path

  assume_role_policy = <<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "HubMayAssume",
          "Effect": "Allow",
          "Principal": {
            "AWS": "${var.hub_role_arn}"
          },
          "Action": "sts:AssumeRole",
          "Condition": {
            "StringEquals": {
              "sts:ExternalId": "${var.external_id}"
            }
          }
        },
        {
          "Sid": "HubMayTagClusters",
          "Effect": "Allow",
          "Principal": {
            "AWS": "${var.hub_role_arn}"
          },
          "Action": [
            "sts:TagSession",
            "sts:SetSourceIdentity"
          ]
        },
        {
          "Sid": "HubMayTag",
          "Effect": "Allow",
          "Principal": {
            "AWS": "${var.hub_role_arn}"
          },
          "Action": [
            "sts:TagSession",
            "sts:SetSourceIdentity"
          ]
        },
        {
          "Sid": "HubMayTagShells",
          "Effect": "Allow",
          "Principal": {
            "AWS": "${var.hub_role_arn}"
          },
          "Action": [
            "sts:TagSession",
            "sts:SetSourceIdentity"
          ]
        }
      ]
    }
  JSON
}

# permissions of the spoke role
#   sts:AssumeRole: only roles of this account that are tagged for it
#   sts:TagSession: sessions carry the person, the grant, the session and the request
#   sts:SetSourceIdentity: CloudTrail names the person in every event
#   iam:GetRole: aws validate says who else may assume a brokered role, and how long its sessions may last
#   iam:SimulatePrincipalPolicy: aws validate says what the spoke role is not allowed, and why
#   eks:DescribeCluster: the certificate authority of a cluster, and whether it is still the same one
#   eks:ListAccessEntries: aws validate finds entries that no level names any more
#   eks:DescribeAccessEntry: aws validate says whether a cluster lets the role of a level in, and by which name
#   eks:ListAssociatedAccessPolicies: aws validate says whether the role may do more there than the level
#   rds-db:connect: databases whose entry names no role
#   iam:GetAccountAuthorizationDetails: finds roles, with trust, tags and last use, and what their policies allow; no policy is kept
#   iam:GenerateServiceLastAccessedDetails: finds which services a role was used for
#   iam:GetServiceLastAccessedDetails: the answer to that
#   rds:DescribeDBInstances: finds databases, with endpoint, resource id, tags and IAM authentication
#   rds:DescribeDBClusters: finds clusters, with their writers and readers
#   rds:DescribeDBClusterEndpoints: finds custom endpoints of Aurora
#   ec2:DescribeRegions: finds the regions that the account has switched on
#   ec2:DescribeInstances: finds instances, with their state, tags and instance profile
#   ssm:DescribeInstanceInformation: aws validate says whether the agent is connected and new enough
#   cloudtrail:LookupEvents: finds who takes a role, with a grant or without one
#   ssm:DescribeSessions: finds sessions that a daemon that died has left open, and those without a grant
#   eks:ListClusters: finds clusters
#   iam:GetPolicy: finds the version in force
#   iam:GetPolicyVersion: reads the deny list, and keeps what else is in it
#   iam:ListPolicyVersions: finds the oldest version: IAM keeps five
#   iam:CreatePolicyVersion: adds a revoked grant to the deny list
#   iam:DeletePolicyVersion: makes room for the next
#   ssm:StartSession: shells on instances, by the session documents made for the broker alone
#   ssm:GetDocument: a document that was changed is found before it is used
#   ssm:TerminateSession: ends a shell with its access
#   ssm:ResumeSession: goes on after a lost connection, which the service closes each hour
#   ssmmessages:OpenDataChannel: carries what is typed and shown, and what is forwarded
#   kms:GenerateDataKey: sessions by documents that name a key of KMS
resource "aws_iam_role_policy" "connect" {
  name = "sallyport"
  role = aws_iam_role.connect.id

  policy = <<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "MintSessionsForManagedRoles",
          "Effect": "Allow",
          "Action": "sts:AssumeRole",
          "Resource": "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:role/*",
          "Condition": {
            "StringEquals": {
              "aws:ResourceTag/sallyport:managed": "true"
            }
          }
        },
        {
          "Sid": "DecorateSessions",
          "Effect": "Allow",
          "Action": [
            "sts:TagSession",
            "sts:SetSourceIdentity"
          ],
          "Resource": "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:role/*"
        },
        {
          "Sid": "ReadManagedRoles",
          "Effect": "Allow",
          "Action": "iam:GetRole",
          "Resource": "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:role/*",
          "Condition": {
            "StringEquals": {
              "aws:ResourceTag/sallyport:managed": "true"
            }
          }
        },
        {
          "Sid": "CheckOwnPermissions",
          "Effect": "Allow",
          "Action": "iam:SimulatePrincipalPolicy",
          "Resource": "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:role/${local.connect_role}"
        },
        {
          "Sid": "ReadClusters",
          "Effect": "Allow",
          "Action": [
            "eks:DescribeCluster",
            "eks:ListAccessEntries"
          ],
          "Resource": "arn:${data.aws_partition.current.partition}:eks:*:${data.aws_caller_identity.current.account_id}:cluster/*"
        },
        {
          "Sid": "ReadAccessEntries",
          "Effect": "Allow",
          "Action": [
            "eks:DescribeAccessEntry",
            "eks:ListAssociatedAccessPolicies"
          ],
          "Resource": "arn:${data.aws_partition.current.partition}:eks:*:${data.aws_caller_identity.current.account_id}:access-entry/*"
        },
        {
          "Sid": "SignInToDatabases",
          "Effect": "Allow",
          "Action": "rds-db:connect",
          "Resource": "arn:${data.aws_partition.current.partition}:rds-db:*:${data.aws_caller_identity.current.account_id}:dbuser:*/${var.database_users}"
        },
        {
          "Sid": "DiscoverRoles",
          "Effect": "Allow",
          "Action": [
            "iam:GetAccountAuthorizationDetails",
            "iam:GenerateServiceLastAccessedDetails",
            "iam:GetServiceLastAccessedDetails"
          ],
          "Resource": "*"
        },
        {
          "Sid": "DiscoverDatabases",
          "Effect": "Allow",
          "Action": [
            "rds:DescribeDBInstances",
            "rds:DescribeDBClusters",
            "rds:DescribeDBClusterEndpoints"
          ],
          "Resource": "*"
        },
        {
          "Sid": "DiscoverInstances",
          "Effect": "Allow",
          "Action": [
            "ec2:DescribeRegions",
            "ec2:DescribeInstances",
            "ssm:DescribeInstanceInformation"
          ],
          "Resource": "*"
        },
        {
          "Sid": "ReadUse",
          "Effect": "Allow",
          "Action": [
            "cloudtrail:LookupEvents",
            "ssm:DescribeSessions"
          ],
          "Resource": "*"
        },
        {
          "Sid": "ListClusters",
          "Effect": "Allow",
          "Action": "eks:ListClusters",
          "Resource": "*"
        },
        {
          "Sid": "DiscoverClusters",
          "Effect": "Allow",
          "Action": [
            "eks:DescribeCluster",
            "eks:ListAccessEntries"
          ],
          "Resource": "arn:${data.aws_partition.current.partition}:eks:*:${data.aws_caller_identity.current.account_id}:cluster/*"
        },
        {
          "Sid": "RevocationBoundaryOnly",
          "Effect": "Allow",
          "Action": [
            "iam:GetPolicy",
            "iam:GetPolicyVersion",
            "iam:ListPolicyVersions",
            "iam:CreatePolicyVersion",
            "iam:DeletePolicyVersion"
          ],
          "Resource": "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:policy/${local.revocation_policy}"
        },
        {
          "Sid": "StartShells",
          "Effect": "Allow",
          "Action": "ssm:StartSession",
          "Resource": [
            "arn:${data.aws_partition.current.partition}:ec2:*:${data.aws_caller_identity.current.account_id}:instance/*",
            "arn:${data.aws_partition.current.partition}:ssm:*:${data.aws_caller_identity.current.account_id}:document/${var.session_documents}"
          ],
          "Condition": {
            "BoolIfExists": {
              "ssm:SessionDocumentAccessCheck": "true"
            }
          }
        },
        {
          "Sid": "ReadSessionDocuments",
          "Effect": "Allow",
          "Action": "ssm:GetDocument",
          "Resource": "arn:${data.aws_partition.current.partition}:ssm:*:${data.aws_caller_identity.current.account_id}:document/${var.session_documents}"
        },
        {
          "Sid": "EndShells",
          "Effect": "Allow",
          "Action": [
            "ssm:TerminateSession",
            "ssm:ResumeSession"
          ],
          "Resource": "arn:${data.aws_partition.current.partition}:ssm:*:${data.aws_caller_identity.current.account_id}:session/sp-*"
        },
        {
          "Sid": "CarryShells",
          "Effect": "Allow",
          "Action": [
            "ssm:DescribeSessions",
            "ssm:DescribeInstanceInformation",
            "ssmmessages:OpenDataChannel"
          ],
          "Resource": "*"
        },
        {
          "Sid": "EncryptShells",
          "Effect": "Allow",
          "Action": "kms:GenerateDataKey",
          "Resource": "arn:${data.aws_partition.current.partition}:kms:*:*:key/${var.session_keys}",
          "Condition": {
            "StringLike": {
              "kms:EncryptionContext:aws:ssm:SessionId": "sp-*"
            }
          }
        }
      ]
    }
  JSON
}

# first version of the policy that is the permissions boundary of revocable roles; the broker adds and removes denials
#   *: a boundary grants nothing by itself; put a tighter ceiling here if you have one
resource "aws_iam_policy" "revocations" {
  name = var.revocation_policy_name
  path = var.revocation_policy_path

  policy = <<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "Ceiling",
          "Effect": "Allow",
          "Action": "*",
          "Resource": "*"
        }
      ]
    }
  JSON

  # The broker writes the versions that follow.
  lifecycle {
    ignore_changes = [policy]
  }
}

# roles that trust web_identity: whose ID tokens the account believes
resource "aws_iam_openid_connect_provider" "people" {
  count          = var.issuer == "" ? 0 : 1
  url            = "https://${var.issuer}"
  client_id_list = [var.client_id]
}
