import { Type } from 'typebox'
import { Duration, Names, strict } from './members.ts'

export const Selector = {
  ids: Type.Optional(Names('Full resource ids', ['rds-postgres/111122223333/eu-west-1/orders'])),
  accounts: Type.Optional(Names('Account ids; a rule that selects by tags should pin them', ['111122223333'])),
  kinds: Type.Optional(Names('Kinds, e.g. rds-postgres', ['rds-postgres'])),
  regions: Type.Optional(Names('Regions', ['eu-west-1'])),
  tags: Type.Optional(
    Type.Record(Type.String(), Type.String(), {
      description: 'Tags that must all be present with these values',
      examples: [{ env: 'prod' }],
    }),
  ),
  names: Type.Optional(
    Names('Patterns of the last part of the id; * stands for any characters, ? for one', ['orders-*']),
  ),
  organizational_units: Type.Optional(
    Names('Ids of organizational units or of the root: what is in accounts beneath them, at any depth', [
      'ou-ab12-1a2b3c4d',
    ]),
  ),
  account_tags: Type.Optional(
    Type.Record(Type.String(), Type.String(), {
      description: 'Tags that the account must have, all of them with these values',
      examples: [{ env: 'prod' }],
    }),
  ),
}

const Who = Type.Object(
  {
    groups: Type.Optional(
      Names('Groups of the identity provider; `idc:NAME` or `idc:ID`: a group of IAM Identity Center', ['engineering']),
    ),
    emails: Type.Optional(Names('Verified e-mail addresses', ['alice@example.com'])),
    principals: Type.Optional(Names('Principal ids, also of service accounts', ['prn_01k3m7q2x8v5t9w4b6n1c0d2fg'])),
  },
  { ...strict, description: 'Principals who match any of these' },
)

const Stage = Type.Object(
  {
    any_of: Type.Array(
      Type.String({
        pattern: '^(group:.+|email:.+|manager)$',
        patternErrorMessage: 'expected group:NAME, email:ADDRESS or manager',
        examples: ['group:database-owners'],
      }),
      {
        minItems: 1,
        description: 'Who may approve: group:NAME, email:ADDRESS, manager',
      },
    ),
    count: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10, description: 'How many different people must approve', default: 1 }),
    ),
  },
  { ...strict, description: 'One step of an approval' },
)

export const Rule = Type.Object(
  {
    name: Type.String({
      pattern: '^[a-z0-9][a-z0-9-]{0,62}$',
      patternErrorMessage: 'expected 1–63 lower-case letters, digits and hyphens',
      description: 'Unique name',
      examples: ['engineers-read-databases'],
    }),
    who: Who,
    what: Type.Object(Selector, { ...strict, description: 'Resources' }),
    levels: Type.Array(Type.String({ minLength: 1 }), {
      minItems: 1,
      description: 'Levels that may be requested',
      examples: [['readonly']],
    }),
    max_duration: Duration('Longest grant', '8h', { most: '365d' }),
    require: Type.Optional(
      Type.Object(
        {
          reason: Type.Optional(
            Type.Boolean({ description: 'A reason must be given', examples: [true], default: false }),
          ),
          ticket: Type.Optional(
            Type.String({
              format: 'regex',
              maxLength: 256,
              examples: ['[A-Z]+-[0-9]+'],
              description: 'The ticket must match this whole pattern',
            }),
          ),
          login_within: Type.Optional(
            Duration(
              'The sign-in must be younger than this: at request and approval, at issue of a connect token, whenever a local connection opens, and whenever credentials of a role are handed out',
            ),
          ),
          acr: Type.Optional(Names('The sign-in must carry one of these authentication context classes', ['phr'])),
        },
        { ...strict, description: 'Conditions of a request' },
      ),
    ),
    approval: Type.Optional(
      Type.Object(
        { stages: Type.Array(Stage, { minItems: 1, maxItems: 5, description: 'In order' }) },
        { ...strict, description: 'Omitted: self-service' },
      ),
    ),
    connect_token_max: Type.Optional(Duration('Longest lifetime of a connect token', '12h', { most: '365d' })),
  },
  { ...strict, description: 'Who may request what' },
)
