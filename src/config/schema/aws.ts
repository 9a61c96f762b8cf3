import { Type } from 'typebox'
import { List, Partition, RoleArn, RoleName, strict, Url } from './members.ts'

export const Aws = Type.Object(
  {
    hub_role_arn: Type.Optional(
      RoleArn("Role that the daemon assumes first; omitted: the daemon's own credentials are the hub"),
    ),
    connect_role: Type.Optional(
      RoleName('Name (with path) of the spoke role that creates sessions', 'SallyportConnect'),
    ),
    external_id: Type.Optional(
      Type.String({
        pattern: '^[\\w+=,.@:/-]{2,1224}$',
        patternErrorMessage: 'expected 2–1224 of letters, digits and +=,.@:/-_',
        description: 'ExternalId for the spokes; generated at the first start if left out',
        examples: ['sallyport-1a2b3c'],
      }),
    ),
    reach_role: Type.Optional(
      RoleName(
        'Name (with path) of the role, in each account, that opens tunnels through the instances of `via`, and does nothing else',
        'sallyport-reach',
      ),
    ),
    revocation_policy: Type.Optional(
      RoleName(
        'Name (with path) of the managed policy that is the permissions boundary of revocable roles; the broker writes its versions',
        'sallyport/SallyportRevocations',
      ),
    ),
    regions: Type.Optional(
      List(
        Type.String({
          pattern: '^[a-z]{2}(-[a-z]+)+-[0-9]$',
          patternErrorMessage: 'expected a region such as eu-west-1',
          examples: ['eu-west-1'],
        }),
        'Regions in use; STS is called in the first one',
      ),
    ),
    accounts: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[0-9]{12}$' }),
        Type.Object(
          {
            connect_role: Type.Optional(RoleName('Spoke role of this account')),
            partition: Type.Optional(Partition('Partition of this account')),
            trust: Type.Optional(
              Type.String({
                pattern: '^(hub|web_identity)$',
                patternErrorMessage: 'expected hub or web_identity',
                description:
                  "What this account's roles trust: the hub's chain of roles (hub), or the person's own ID token (web_identity), so that the broker alone cannot create sessions",
                examples: ['web_identity'],
                default: 'hub',
              }),
            ),
            id_token: Type.Optional(
              Type.Object(
                {
                  sub: Type.Optional(
                    Type.String({
                      pattern: '^[\\w+=,.@:/|*?-]{1,256}$',
                      patternErrorMessage: 'expected a subject; * and ? are wildcards',
                      description: 'Pattern of subjects; * and ? are wildcards',
                      examples: ['corp|*'],
                      default: '?*',
                    }),
                  ),
                  amr: Type.Optional(
                    Type.String({
                      pattern: '^[\\w+.:/-]{1,64}$',
                      patternErrorMessage: 'expected a method of authentication such as mfa',
                      description: 'Method of authentication that the token must name, where the provider sends `amr`',
                      examples: ['mfa'],
                    }),
                  ),
                  tags: Type.Optional(
                    Type.Record(
                      Type.String({ pattern: '^[\\w+=.@:/-]{1,128}$' }),
                      Type.String({
                        pattern: '^[\\w+=.@:/-]{1,256}$',
                        patternErrorMessage: 'expected the value of a session tag',
                      }),
                      {
                        additionalProperties: false,
                        propertyErrorMessage: 'expected the key of a session tag',
                        description:
                          'Session tags that the token must carry, where the provider sends `https://aws.amazon.com/tags`',
                        examples: [{ team: 'platform' }],
                      },
                    ),
                  ),
                },
                {
                  ...strict,
                  description:
                    'With trust: web_identity, what generated trust policies demand of an ID token besides its audience',
                  default: {},
                },
              ),
            ),
          },
          // TypeBox looks for the defaults inside a record only where its values have one themselves
          { ...strict, description: 'Overrides for one account', default: {} },
        ),
        {
          additionalProperties: false,
          propertyErrorMessage: 'expected an account id of 12 digits',
          description: 'Registered accounts; resources of other accounts are refused',
        },
      ),
    ),
    endpoint_url: Type.Optional(
      Type.Union(
        [
          Url('Endpoint for every service', 'http://127.0.0.1:4566'),
          Type.Record(Type.String(), Url('Endpoint of this service', 'http://127.0.0.1:4566')),
        ],
        {
          description: 'Endpoint for every service, or one by service id; for emulators and VPC endpoints',
          examples: ['http://127.0.0.1:4566'],
        },
      ),
    ),
  },
  { ...strict, description: 'Access to AWS' },
)
