import { Type } from 'typebox'
import { InventoryEvents } from './inventory-events.ts'
import { Duration, strict, Url } from './members.ts'

export const Inventory = Type.Object(
  {
    organization: Type.Optional(
      Type.Boolean({
        description:
          'Accounts and organizational units of the AWS organization are read into the catalog, with their tags; `aws policies --feature organization` prints what that needs',
        examples: [true],
        default: false,
      }),
    ),
    identity_center: Type.Optional(
      Type.Object(
        {
          region: Type.Optional(
            Type.String({
              pattern: '^[a-z]{2}(-[a-z]+)+-[0-9]$',
              patternErrorMessage: 'expected a region such as eu-west-1',
              description: 'Its home region, as its console shows it; left out: the first of aws.regions',
              examples: ['eu-west-1'],
            }),
          ),
          import: Type.Optional(
            Type.String({
              pattern: '^(all|provisioned|manual)$',
              patternErrorMessage: 'expected all, provisioned or manual',
              description:
                'all: every permission set in every active account; provisioned: in the accounts that have its role; manual: those that are written under resources. Groups: all of them, or those that are written',
              examples: ['all'],
              default: 'provisioned',
            }),
          ),
          match: Type.Optional(
            Type.String({
              pattern: '^(email|user_name|external_id)$',
              patternErrorMessage: 'expected email, user_name or external_id',
              description:
                'By what a person is found in Identity Center who was not linked to a user there yet. email: the one user whose e-mail address or user name is the verified address of the person; user_name: the user name alone; external_id: the one that the provider gave, by its issuer and the subject',
              examples: ['user_name'],
              default: 'email',
            }),
          ),
          portal_url: Type.Optional(
            Url('Address of the access portal, which live grants show', 'https://d-1234567890.awsapps.com/start'),
          ),
          most_removals: Type.Optional(
            Type.Integer({
              minimum: 0,
              maximum: 100_000,
              errorMessage: 'expected a number of removals, 0 to 100000',
              description:
                'When grants are ended early, at most so many of what AWS holds for them is removed in one pass; of more, none is, and the log says so. What ends by its own time does not count',
              examples: [50],
              default: 50,
            }),
          ),
        },
        {
          ...strict,
          description:
            'Groups and permission sets of IAM Identity Center are read into the catalog; `aws policies --feature identity-center` prints what that needs',
        },
      ),
    ),
    import: Type.Optional(
      Type.Unsafe<'all' | 'tagged' | 'manual'>(
        Type.String({
          pattern: '^(all|tagged|manual)$',
          patternErrorMessage: 'expected all, tagged or manual',
          description:
            'What is read in accounts comes into the catalog: `all` of it, what has the tag `sallyport:managed=true` (`tagged`), or, with what AWS says of it, what is under `resources` (`manual`). Left out: accounts are not read',
          examples: ['tagged'],
        }),
      ),
    ),
    every: Type.Optional(
      Duration('How often it is read; `sallyport sync` reads it at once', '15m', { least: '1m', most: '24h' }),
    ),
    events: Type.Optional(InventoryEvents),
  },
  { ...strict, description: 'What the catalog takes from AWS by itself' },
)
