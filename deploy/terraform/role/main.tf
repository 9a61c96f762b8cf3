# Written by `npm run docs` from src/aws/policies and the policies of src/kinds; change them there.

variable "role_name" {
  description = "name of the brokered role"
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

variable "subject" {
  description = "pattern of the subjects whose ID tokens count"
  type        = string
  default     = "?*"
}

variable "max_session" {
  description = "seconds that keys may last which are obtained with an ID token"
  type        = number
  default     = 3600
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

variable "clusters" {
  description = "the role reads what clusters are, by a person’s ID token"
  type        = bool
  default     = false
}

variable "databases" {
  description = "the role signs in to databases"
  type        = bool
  default     = false
}

variable "reach" {
  description = "the role opens tunnels through instances: aws.reach_role"
  type        = bool
  default     = false
}

variable "shells" {
  description = "the role opens shells on instances"
  type        = bool
  default     = false
}

variable "trust" {
  description = "hub, or web_identity: only the person's own ID token"
  type        = string
  default     = "hub"

  validation {
    condition     = contains(["hub", "web_identity"], var.trust)
    error_message = "Expected hub or web_identity."
  }
}

variable "revocable" {
  description = "credentials already handed out are killed when the grant ends"
  type        = bool
  default     = true
}

variable "policy_arns" {
  description = "what the role may do"
  type        = set(string)
}

data "aws_partition" "current" {}

data "aws_caller_identity" "current" {}

locals {
  connect_role      = "${trimprefix(var.connect_role_path, "/")}${var.connect_role_name}"
  revocation_policy = "${trimprefix(var.revocation_policy_path, "/")}${var.revocation_policy_name}"
}

locals {
  # trust policy of a brokered role; the role is tagged sallyport:managed=true
  #   sts:AssumeRole: only for a person and a grant
  #   sts:TagSession: sessions carry the person, the grant, the session and the request
  #   sts:SetSourceIdentity: CloudTrail names the person in every event
  hub_trust = <<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "SallyportMayAssume",
          "Effect": "Allow",
          "Principal": {
            "AWS": "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:role/${local.connect_role}"
          },
          "Action": "sts:AssumeRole",
          "Condition": {
            "StringLike": {
              "sts:SourceIdentity": "?*",
              "aws:RequestTag/sallyport:grant": "grt_*"
            }
          }
        },
        {
          "Sid": "SallyportMayTag",
          "Effect": "Allow",
          "Principal": {
            "AWS": "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:role/${local.connect_role}"
          },
          "Action": [
            "sts:TagSession",
            "sts:SetSourceIdentity"
          ]
        }
      ]
    }
  JSON

  # trust policy of a brokered role that accepts only the person’s own ID token
  #   sts:AssumeRoleWithWebIdentity: with an ID token that was issued for the broker
  #   sts:TagSession: sessions carry the person, the grant, the session and the request
  #   sts:SetSourceIdentity: CloudTrail names the person in every event
  web_identity_trust = <<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "OwnTokenOnly",
          "Effect": "Allow",
          "Principal": {
            "Federated": "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:oidc-provider/${var.issuer}"
          },
          "Action": [
            "sts:AssumeRoleWithWebIdentity",
            "sts:TagSession",
            "sts:SetSourceIdentity"
          ],
          "Condition": {
            "StringEquals": {
              "${var.issuer}:aud": "${var.client_id}"
            },
            "StringLike": {
              "${var.issuer}:sub": "${var.subject}"
            }
          }
        }
      ]
    }
  JSON
}

locals {
  boundary = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:policy/${local.revocation_policy}"
}

resource "aws_iam_role" "brokered" {
  name                 = var.role_name
  max_session_duration = var.trust == "hub" ? 3600 : var.max_session
  assume_role_policy   = var.trust == "hub" ? local.hub_trust : local.web_identity_trust
  permissions_boundary = var.trust == "hub" && var.revocable ? local.boundary : null

  tags = {
    "sallyport:managed" = "true"
  }
}

resource "aws_iam_role_policy_attachment" "brokered" {
  for_each   = var.policy_arns
  role       = aws_iam_role.brokered.name
  policy_arn = each.value
}

# permissions of the role in aws.connect_role, where the account takes ID tokens and an entry has no ca
#   eks:DescribeCluster: the certificate authority of a cluster; each session is restricted to one cluster
#   eks:ListAccessEntries: aws validate finds entries that no level names any more
#   eks:DescribeAccessEntry: aws validate says whether a cluster lets the role of a level in, and by which name
#   eks:ListAssociatedAccessPolicies: aws validate says whether the role may do more there than the level
resource "aws_iam_role_policy" "clusters" {
  count = var.clusters ? 1 : 0
  name  = "sallyport-clusters"
  role  = aws_iam_role.brokered.id

  policy = <<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
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
        }
      ]
    }
  JSON
}

# permissions of a role that signs in to databases
#   rds-db:connect: as these users; each session is restricted to one user of one database
resource "aws_iam_role_policy" "databases" {
  count = var.databases ? 1 : 0
  name  = "sallyport-databases"
  role  = aws_iam_role.brokered.id

  policy = <<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "SignInToDatabases",
          "Effect": "Allow",
          "Action": "rds-db:connect",
          "Resource": "arn:${data.aws_partition.current.partition}:rds-db:*:${data.aws_caller_identity.current.account_id}:dbuser:*/${var.database_users}"
        }
      ]
    }
  JSON
}

# permissions of the role that opens tunnels through instances (aws.reach_role)
#   ssm:StartSession: tunnels to databases and clusters; each session is restricted to one instance
#   ssm:ResumeSession: goes on after a lost connection, which the service closes each hour
#   ssm:TerminateSession: ends a tunnel that nothing uses any more
#   ssmmessages:OpenDataChannel: carries the bytes
#   ssm:DescribeInstanceInformation: aws validate says whether the agents are connected and new enough
#   ssm:GetDocument: aws validate says whether the documents lead there alone
resource "aws_iam_role_policy" "reach" {
  count = var.reach ? 1 : 0
  name  = "sallyport-reach"
  role  = aws_iam_role.brokered.id

  policy = <<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
        {
          "Sid": "StartTunnels",
          "Effect": "Allow",
          "Action": "ssm:StartSession",
          "Resource": [
            "arn:${data.aws_partition.current.partition}:ec2:*:${data.aws_caller_identity.current.account_id}:instance/*",
            "arn:${data.aws_partition.current.partition}:ssm:*:${data.aws_caller_identity.current.account_id}:document/Sallyport-PortDatabase",
            "arn:${data.aws_partition.current.partition}:ssm:*:${data.aws_caller_identity.current.account_id}:document/Sallyport-PortCluster"
          ],
          "Condition": {
            "BoolIfExists": {
              "ssm:SessionDocumentAccessCheck": "true"
            }
          }
        },
        {
          "Sid": "EndTunnels",
          "Effect": "Allow",
          "Action": [
            "ssm:ResumeSession",
            "ssm:TerminateSession"
          ],
          "Resource": "arn:${data.aws_partition.current.partition}:ssm:*:${data.aws_caller_identity.current.account_id}:session/sp-*"
        },
        {
          "Sid": "CarryTunnels",
          "Effect": "Allow",
          "Action": [
            "ssmmessages:OpenDataChannel",
            "ssm:DescribeInstanceInformation"
          ],
          "Resource": "*"
        },
        {
          "Sid": "ReadTunnelDocuments",
          "Effect": "Allow",
          "Action": "ssm:GetDocument",
          "Resource": [
            "arn:${data.aws_partition.current.partition}:ssm:*:${data.aws_caller_identity.current.account_id}:document/Sallyport-PortDatabase",
            "arn:${data.aws_partition.current.partition}:ssm:*:${data.aws_caller_identity.current.account_id}:document/Sallyport-PortCluster"
          ]
        }
      ]
    }
  JSON
}

# permissions of a role that opens shells on instances
#   ssm:StartSession: shells on instances, by the session documents made for the broker alone
#   ssm:GetDocument: a document that was changed is found before it is used
#   ssm:TerminateSession: ends a shell with its access
#   ssm:ResumeSession: goes on after a lost connection, which the service closes each hour
#   ssm:DescribeSessions: finds sessions that a daemon that died has left open, and those without a grant
#   ssm:DescribeInstanceInformation: aws validate says whether the agent is connected and new enough
#   ssmmessages:OpenDataChannel: carries what is typed and shown, and what is forwarded
#   kms:GenerateDataKey: sessions by documents that name a key of KMS
resource "aws_iam_role_policy" "shells" {
  count = var.shells ? 1 : 0
  name  = "sallyport-shells"
  role  = aws_iam_role.brokered.id

  policy = <<-JSON
    {
      "Version": "2012-10-17",
      "Statement": [
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

output "role_arn" {
  value = aws_iam_role.brokered.arn
}
