import { Type } from 'typebox'
import { Duration, Names, strict, Url } from './members.ts'

export const Oidc = Type.Object(
  {
    issuer: Url('Issuer URL of the OpenID provider', 'https://login.example.com'),
    client_id: Type.String({ description: 'Client id registered with the provider', examples: ['sallyport'] }),
    client_secret: Type.Optional(
      Type.String({
        minLength: 1,
        writeOnly: true,
        description: 'Client secret; written as a reference to an environment variable or a file',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what people write
        examples: ['${env:OIDC_SECRET}'],
      }),
    ),
    scopes: Type.Optional(
      Names('Scopes to request', ['openid', 'email', 'groups'], ['openid', 'profile', 'email', 'offline_access']),
    ),
    groups_claim: Type.Optional(Type.String({ description: 'Claim that lists groups', default: 'groups' })),
    groups_source: Type.Optional(
      Type.String({
        pattern: '^(any|id_token|userinfo)$',
        patternErrorMessage: 'expected any, id_token or userinfo',
        default: 'any',
        description:
          'Where the provider puts the claim of the groups: the ID token (id_token), the userinfo endpoint (userinfo), or the first of the two that has it (any). An answer to a refresh without the claim changes no groups; a sign-in without it gives none',
      }),
    ),
    fresh_prompt: Type.Optional(
      Type.String({
        pattern: '^(auto|login consent|login|consent|max_age)$',
        patternErrorMessage: 'expected auto, login consent, login, consent or max_age',
        default: 'auto',
        description:
          'How the provider is asked to authenticate a person again: by this `prompt`, always with max_age=0, or by max_age alone. Without `consent` many providers issue no refresh token (OpenID Connect Core, section 11), and some accept only one value. auto: login consent where the scopes have offline_access, else login; login for Entra ID',
      }),
    ),
    manager_claim: Type.Optional(
      Type.String({ description: 'Claim that names the manager by e-mail or subject', default: 'manager' }),
    ),
    login_claim: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        description:
          'Claim of the ID token that stands for `{login}` in levels: unique to each person at the provider, never given to another, and not theirs to change. 1–32 of a–z, 0–9, _ and ., taken as it is. Which claims are so: docs/security.md, login names',
        examples: ['preferred_username'],
      }),
    ),
    tag_claims: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 128, pattern: '^[^{}]+$' }), {
        maxItems: 20,
        description:
          'Claims of the ID token that stand for `{claim:NAME}` in `session_tags` of levels: texts of at most 256 letters, digits, blanks and _.:/=+-@. Who may change one at the provider chooses what policies that go by the tag allow',
        examples: [['team', 'cost_center']],
      }),
    ),
    admin_groups: Type.Optional(Names('Groups whose members have the role admin', ['platform'])),
    auditor_groups: Type.Optional(Names('Groups whose members have the role auditor', ['security'])),
    session_idle: Type.Optional(Duration('A browser or CLI login ends after this long without use', '12h')),
    session_max: Type.Optional(Duration('A browser or CLI login ends after this long in any case', '24h')),
    probe_every: Type.Optional(
      Duration(
        'How often the refresh token is checked, so that people who have left lose access; a refusal is confirmed once, up to a minute later',
        '15m',
        {
          most: '15m',
        },
      ),
    ),
  },
  { ...strict, description: 'Where people sign in' },
)
