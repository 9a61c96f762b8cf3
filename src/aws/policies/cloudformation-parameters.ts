/** Of a template with a stack set. */
export const callAs = {
  Type: 'String',
  Default: 'SELF',
  AllowedValues: ['SELF', 'DELEGATED_ADMIN'],
  Description: 'SELF in the management account, DELEGATED_ADMIN in a delegated administrator of stack sets',
}

/** Parameters of the templates, by their names. */
export const parameters = {
  ComputeArn: { Type: 'String', Description: 'ARN of the identity that the daemon runs as' },
  HubRoleArn: { Type: 'String', Description: 'ARN of the hub role' },
  HubRoleName: { Type: 'String', Default: 'SallyportHub', Description: 'Name of the hub role' },
  ExternalId: { Type: 'String', Description: 'ExternalId of this installation; `sallyport aws policies` shows it' },
  OrganizationId: { Type: 'String', Description: 'Id of the organization, o-…' },
  ConnectRolePath: { Type: 'String', Default: '/sallyport/', Description: 'Path of the spoke role (aws.connect_role)' },
  ConnectRoleName: { Type: 'String', Default: 'SallyportConnect', Description: 'Its name' },
  RevocationPolicyPath: {
    Type: 'String',
    Default: '/sallyport/',
    Description: 'Path of the boundary policy (aws.revocation_policy)',
  },
  RevocationPolicyName: { Type: 'String', Default: 'SallyportRevocations', Description: 'Its name' },
  OrganizationalUnits: { Type: 'CommaDelimitedList', Description: 'Units whose accounts get the roles' },
  CallAs: callAs,
  RoleName: { Type: 'String', Description: 'Name of the brokered role' },
  PolicyArns: { Type: 'CommaDelimitedList', Description: 'What the role may do' },
  Trust: {
    Type: 'String',
    Default: 'hub',
    AllowedValues: ['hub', 'web_identity'],
    Description: 'Trust model of the role',
  },
  Revocable: {
    Type: 'String',
    Default: 'true',
    AllowedValues: ['true', 'false'],
    Description: 'Credentials already handed out are killed when the grant ends',
  },
  Issuer: {
    Type: 'String',
    Default: 'none',
    Description: 'Issuer of the OpenID provider without https://, for roles that trust web_identity',
  },
  ClientId: { Type: 'String', Default: 'sallyport', Description: "The broker's client id there" },
  Subject: { Type: 'String', Default: '?*', Description: 'Pattern of the subjects whose ID tokens count' },
  MaxSession: {
    Type: 'Number',
    Default: 3600,
    MinValue: 3600,
    MaxValue: 43_200,
    Description: 'Seconds that keys may last which are obtained with an ID token',
  },
} as const
