# Written by `npm run docs` from src/aws/policies and the policies of src/kinds; change them there.

# session document of tunnels to databases; only its owners may change it
resource "aws_ssm_document" "sallyport_port_database" {
  name            = "Sallyport-PortDatabase"
  document_type   = "Session"
  document_format = "JSON"

  content = <<-JSON
    {
      "schemaVersion": "1.0",
      "description": "Sallyport: ports of databases of RDS, and no others",
      "sessionType": "Port",
      "parameters": {
        "host": {
          "type": "String",
          "description": "Endpoint of the database",
          "allowedPattern": "^[A-Za-z0-9.-]+\\.(rds\\.amazonaws\\.com|rds\\.[a-z0-9-]+\\.amazonaws\\.com\\.cn)$"
        },
        "portNumber": {
          "type": "String",
          "description": "Its port",
          "allowedPattern": "^[1-9][0-9]{3,4}$"
        }
      },
      "properties": {
        "host": "{{ host }}",
        "portNumber": "{{ portNumber }}",
        "type": "LocalPortForwarding"
      }
    }
  JSON
}

# session document of tunnels to clusters; only its owners may change it
resource "aws_ssm_document" "sallyport_port_cluster" {
  name            = "Sallyport-PortCluster"
  document_type   = "Session"
  document_format = "JSON"

  content = <<-JSON
    {
      "schemaVersion": "1.0",
      "description": "Sallyport: API servers of EKS, and nothing else",
      "sessionType": "Port",
      "parameters": {
        "host": {
          "type": "String",
          "description": "Endpoint of the cluster",
          "allowedPattern": "^[A-Fa-f0-9]{32}[.]([a-z0-9-]+[.])+(eks[.]amazonaws[.]com([.]cn)?|api[.]aws|api[.]amazonwebservices[.]com[.]cn)$"
        },
        "portNumber": {
          "type": "String",
          "description": "Its port",
          "allowedPattern": "^443$"
        }
      },
      "properties": {
        "host": "{{ host }}",
        "portNumber": "{{ portNumber }}",
        "type": "LocalPortForwarding"
      }
    }
  JSON
}

# session document of forwarded ports; add to the pattern of host the hosts that levels forward to
resource "aws_ssm_document" "sallyport_port_forward" {
  name            = "Sallyport-PortForward"
  document_type   = "Session"
  document_format = "JSON"

  content = <<-JSON
    {
      "schemaVersion": "1.0",
      "description": "Sallyport: ports of the instance, and of the hosts behind it that are named here",
      "sessionType": "Port",
      "parameters": {
        "host": {
          "type": "String",
          "description": "As the instance reaches it",
          "allowedPattern": "^(localhost)$"
        },
        "portNumber": {
          "type": "String",
          "description": "Its port",
          "allowedPattern": "^[1-9][0-9]{0,4}$"
        }
      },
      "properties": {
        "host": "{{ host }}",
        "portNumber": "{{ portNumber }}",
        "type": "LocalPortForwarding"
      }
    }
  JSON
}
