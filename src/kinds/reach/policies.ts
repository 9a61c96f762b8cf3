import type { PolicyPart, SessionDocumentPart } from '../../catalog/policy-part.ts'

/** Names that AWS gives to the endpoints of clusters. */
export const clusterName =
  /[A-Fa-f0-9]{32}[.]([a-z0-9-]+[.])+(eks[.]amazonaws[.]com([.]cn)?|api[.]aws|api[.]amazonwebservices[.]com[.]cn)/

/** By its patterns AWS refuses to lead anywhere but to databases of RDS: names are resolved at the instance. */
export const databasePorts: SessionDocumentPart = {
  name: 'Sallyport-PortDatabase',
  title: 'session document of tunnels to databases; only its owners may change it',
  content: {
    schemaVersion: '1.0',
    description: 'Sallyport: ports of databases of RDS, and no others',
    sessionType: 'Port',
    parameters: {
      host: {
        type: 'String',
        description: 'Endpoint of the database',
        allowedPattern: '^[A-Za-z0-9.-]+\\.(rds\\.amazonaws\\.com|rds\\.[a-z0-9-]+\\.amazonaws\\.com\\.cn)$',
      },
      portNumber: { type: 'String', description: 'Its port', allowedPattern: '^[1-9][0-9]{3,4}$' },
    },
    properties: { host: '{{ host }}', portNumber: '{{ portNumber }}', type: 'LocalPortForwarding' },
  },
}

/** The same for the API servers of EKS, whose names begin with 32 hexadecimal digits, so that no other service of AWS is meant. */
export const clusterPorts: SessionDocumentPart = {
  name: 'Sallyport-PortCluster',
  title: 'session document of tunnels to clusters; only its owners may change it',
  content: {
    schemaVersion: '1.0',
    description: 'Sallyport: API servers of EKS, and nothing else',
    sessionType: 'Port',
    parameters: {
      host: {
        type: 'String',
        description: 'Endpoint of the cluster',
        allowedPattern: `^${clusterName.source}$`,
      },
      portNumber: { type: 'String', description: 'Its port', allowedPattern: '^443$' },
    },
    properties: { host: '{{ host }}', portNumber: '{{ portNumber }}', type: 'LocalPortForwarding' },
  },
}

const documents = [databasePorts, clusterPorts].map(
  ({ name }) => `arn:{{partition}}:ssm:*:{{account}}:document/${name}`,
)

/** Databases and clusters that only an instance reaches. */
const reach: PolicyPart = {
  feature: 'reach',
  sessionDocuments: [databasePorts, clusterPorts],
  documents: [
    {
      name: 'roleReach',
      title: 'permissions of the role that opens tunnels through instances (aws.reach_role)',
      where: 'each brokered role',
      trust: ['hub', 'web_identity'],
      optional: { resource: 'Reach', when: 'the role opens tunnels through instances: aws.reach_role' },
      statements: [
        {
          sid: 'StartTunnels',
          actions: {
            'ssm:StartSession': 'tunnels to databases and clusters; each session is restricted to one instance',
          },
          resources: ['arn:{{partition}}:ec2:*:{{account}}:instance/*', ...documents],
          conditions: { BoolIfExists: { 'ssm:SessionDocumentAccessCheck': 'true' } },
        },
        {
          sid: 'EndTunnels',
          actions: {
            'ssm:ResumeSession': 'goes on after a lost connection, which the service closes each hour',
            'ssm:TerminateSession': 'ends a tunnel that nothing uses any more',
          },
          resources: ['arn:{{partition}}:ssm:*:{{account}}:session/sp-*'],
        },
        {
          sid: 'CarryTunnels', // neither knows a resource to be restricted to
          actions: {
            'ssmmessages:OpenDataChannel': 'carries the bytes',
            'ssm:DescribeInstanceInformation': 'aws validate says whether the agents are connected and new enough',
          },
          resources: ['*'],
        },
        {
          sid: 'ReadTunnelDocuments',
          actions: { 'ssm:GetDocument': 'aws validate says whether the documents lead there alone' },
          resources: documents,
        },
      ],
    },
  ],
}

export const reachPolicies = [reach]
