import { type Static, Type } from 'typebox'
import {
  Address,
  Duration,
  List,
  Names,
  Partition,
  RoleArn,
  RoleName,
  Size,
  strict,
  Tls,
  Url,
} from './schema/members.ts'

const Server = Type.Object(
  {
    listen: Type.Optional(Address('Address and port of the HTTP side', '0.0.0.0:8443', '127.0.0.1:8443')),
    public_url: Url('URL under which people and clients reach the broker', 'https://access.example.com'),
    tls: Type.Optional(Tls),
    trusted_proxies: Type.Optional(
      Names('Addresses or CIDRs of proxies whose X-Forwarded-For is believed', ['10.0.0.0/8']),
    ),
    metrics_listen: Type.Optional(
      Address('Address and port of /metrics, without TLS', '127.0.0.1:9464', '127.0.0.1:9464'),
    ),
    drain: Type.Optional(Duration('How long sessions may run on after SIGTERM', '10m', { least: '0s', most: '24h' })),
  },
  { ...strict, description: 'The HTTP side of the daemon' },
)

const Oidc = Type.Object(
  {
    issuer: Url('Issuer URL of the OpenID provider', 'https://login.example.com'),
    client_id: Type.String({ description: 'Client id registered there', examples: ['sallyport'] }),
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
      Names('Scopes to ask for', ['openid', 'email', 'groups'], ['openid', 'profile', 'email', 'offline_access']),
    ),
    groups_claim: Type.Optional(Type.String({ description: 'Claim that lists groups', default: 'groups' })),
    manager_claim: Type.Optional(
      Type.String({ description: 'Claim that names the manager by e-mail or subject', default: 'manager' }),
    ),
    admin_groups: Type.Optional(Names('Groups whose members have the role admin', ['platform'])),
    auditor_groups: Type.Optional(Names('Groups whose members have the role auditor', ['security'])),
    session_idle: Type.Optional(Duration('A browser or CLI login ends after this long unused', '12h')),
    session_max: Type.Optional(Duration('A browser or CLI login ends after this long in any case', '24h')),
    probe_every: Type.Optional(
      Duration('How often the refresh token is tried, so that people who left lose access', '15m', { most: '15m' }),
    ),
  },
  { ...strict, description: 'Where people sign in' },
)

const Aws = Type.Object(
  {
    hub_role_arn: Type.Optional(
      RoleArn("Role that the daemon assumes first; omitted: the daemon's own credentials are the hub"),
    ),
    connect_role: Type.Optional(RoleName('Name (with path) of the spoke role that mints sessions', 'SallyportConnect')),
    external_id: Type.Optional(
      Type.String({
        pattern: '^[\\w+=,.@:/-]{2,1224}$',
        patternErrorMessage: 'expected 2–1224 of letters, digits and +=,.@:/-_',
        description: 'ExternalId for the spokes; generated at first start unless given',
        examples: ['sallyport-1a2b3c'],
      }),
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
        'Regions in use; the first is where STS is called',
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
                  "Whom this account's roles trust: the hub's chain of roles (hub), or the person's own ID token (web_identity), so that the broker alone can mint nothing",
                examples: ['web_identity'],
                default: 'hub',
              }),
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
  { ...strict, description: 'How AWS is reached' },
)

const Listener = Type.Object(
  {
    listen: Address('Address and port that clients connect to', '0.0.0.0:5432'),
    tls: Type.Optional(Tls),
    resource: Type.Optional(Type.String({ description: 'Pins the port to one resource', examples: ['orders'] })),
  },
  { ...strict, description: 'A protocol port' },
)

const Resource = Type.Object(
  {
    id: Type.String({
      pattern: '^[a-z0-9-]+(/[^/\\s]+){1,4}$',
      patternErrorMessage: 'expected a full id: KIND/ACCOUNT/REGION/NAME',
      examples: ['rds-postgres/111122223333/eu-west-1/orders'],
      description: 'Full id, e.g. rds-postgres/111122223333/eu-west-1/orders',
    }),
    partition: Type.Optional(Partition('AWS partition')),
    endpoint: Type.Optional(
      Type.String({
        description: 'Host name of the target, as AWS gives it',
        examples: ['orders.abcdefghijkl.eu-west-1.rds.amazonaws.com'],
      }),
    ),
    port: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 65535,
        description: 'Port of the target; omitted: the usual one of its kind',
        examples: [5432],
      }),
    ),
    connect_address: Type.Optional(
      Address(
        'Where to connect instead of endpoint:port; name and certificate stay those of the endpoint',
        '10.0.0.7:5432',
      ),
    ),
    resource_id: Type.Optional(
      Type.String({
        pattern: '^(db|cluster|prx)-[A-Za-z0-9]+$',
        patternErrorMessage: 'expected db-…, cluster-… or prx-…',
        examples: ['db-ABCDEFGHIJKL01234'],
        description: 'DbiResourceId or DbClusterResourceId, as in rds-db:connect ARNs',
      }),
    ),
    role: Type.Optional(
      RoleArn(
        'IAM role whose session signs in to the target (default: the spoke role itself); of an iam-role, its ARN when it has a path',
      ),
    ),
    max_session: Type.Optional(
      Duration("An iam-role's MaxSessionDuration; chained sessions end after an hour whatever it says", '1h', {
        least: '1h',
        most: '12h',
      }),
    ),
    revocable: Type.Optional(
      Type.Boolean({
        description:
          'An iam-role has the policy of aws.revocation_policy as its permissions boundary: credentials already handed out are killed when the grant ends',
        default: false,
      }),
    ),
    transitive_tags: Type.Optional(
      Type.Boolean({
        description: "An iam-role's sessions pass the grant's tags on to roles assumed from them",
        default: true,
      }),
    ),
    source_identity: Type.Optional(
      Type.Boolean({
        description: "An iam-role's sessions carry the person as SourceIdentity, also in roles assumed from them",
        default: true,
      }),
    ),
    database: Type.Optional(
      Type.String({ description: 'Database used when the client names none', default: 'postgres' }),
    ),
    ca: Type.Optional(
      Type.String({
        description: 'PEM file of roots to trust instead of the RDS roots',
        examples: ['/etc/sallyport/roots.pem'],
      }),
    ),
    tags: Type.Optional(
      Type.Record(Type.String(), Type.String(), {
        description: 'Tags, as on the AWS resource',
        examples: [{ env: 'prod' }],
      }),
    ),
  },
  { ...strict, description: 'A resource entered by hand' },
)

const Selector = {
  ids: Type.Optional(Names('Full resource ids', ['rds-postgres/111122223333/eu-west-1/orders'])),
  accounts: Type.Optional(Names('Account ids; a rule that selects by tags should pin them', ['111122223333'])),
  kinds: Type.Optional(Names('Kinds, e.g. rds-postgres', ['rds-postgres'])),
  regions: Type.Optional(Names('Regions', ['eu-west-1'])),
  tags: Type.Optional(
    Type.Record(Type.String(), Type.String(), {
      description: 'Tags that must all be there with these values',
      examples: [{ env: 'prod' }],
    }),
  ),
}

/** `for` selects resources; every other key is a level whose meaning the kind's `level` checks. */
const Level = Type.Object(
  { for: Type.Object(Selector, { ...strict, description: 'Resources these levels are for' }) },
  {
    additionalProperties: Type.Record(Type.String(), Type.Unknown(), {
      description: 'What the level of this name means; which members there are depends on the kind',
      examples: [{ db_user: 'sallyport_ro', databases: ['*'] }],
    }),
    description: 'Levels of some resources; the first match wins',
  },
)

const Who = Type.Object(
  {
    groups: Type.Optional(Names('Groups', ['engineering'])),
    emails: Type.Optional(Names('Verified e-mail addresses', ['alice@example.com'])),
    principals: Type.Optional(Names('Principal ids, also of service accounts', ['prn_01k3m7q2x8v5t9w4b6n1c0d2fg'])),
  },
  { ...strict, description: 'Whoever is in any of these' },
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
        description: 'Who may fill it: group:NAME, email:ADDRESS, manager',
      },
    ),
    count: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10, description: 'How many different people', default: 1 }),
    ),
  },
  { ...strict, description: 'One step of an approval' },
)

const Rule = Type.Object(
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
      description: 'Levels that may be asked for',
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
            Duration('The sign-in must be younger than this, at request, approval and issue of a connect token'),
          ),
          acr: Type.Optional(Names('The sign-in must carry one of these authentication context classes', ['phr'])),
        },
        { ...strict, description: 'Conditions of asking' },
      ),
    ),
    approval: Type.Optional(
      Type.Object(
        { stages: Type.Array(Stage, { minItems: 1, maxItems: 5, description: 'In order' }) },
        { ...strict, description: 'Omitted: self-service' },
      ),
    ),
    connect_token_max: Type.Optional(Duration('Longest life of a connect token', '12h', { most: '365d' })),
  },
  { ...strict, description: 'Who may ask for what' },
)

export const ConfigSchema = Type.Object(
  {
    version: Type.Literal(1, { description: 'Version of this format' }),
    server: Server,
    store: Type.Optional(
      Type.Object(
        {
          url: Type.Optional(
            Type.String({
              pattern: '^sqlite:.+$',
              patternErrorMessage: 'expected sqlite:PATH',
              description: 'Where the store is: sqlite:PATH',
              examples: ['sqlite:./data/sallyport.db'],
              default: 'sqlite:./data/sallyport.db',
            }),
          ),
          grace: Type.Optional(
            Duration('How long sessions outlive an unreachable store', '30s', { least: '0s', most: '1h' }),
          ),
        },
        { ...strict, description: 'Where state is kept' },
      ),
    ),
    keys: Type.Optional(
      Type.Object(
        {
          dir: Type.Optional(
            Type.String({
              description: 'Folder of the signing, sealing and HMAC keys; made at first start',
              default: './data/keys',
            }),
          ),
        },
        { ...strict, description: 'Keys that are never in the store' },
      ),
    ),
    oidc: Oidc,
    aws: Type.Optional(Aws),
    listeners: Type.Optional(
      Type.Object(
        { postgres: Type.Optional(List(Listener, 'PostgreSQL ports')) },
        { ...strict, description: 'Protocol ports for stock clients' },
      ),
    ),
    resources: Type.Optional(List(Resource, 'Catalog entries made by hand')),
    levels: Type.Optional(List(Level, 'What access levels mean')),
    access: Type.Optional(List(Rule, 'Who may ask for what')),
    recordings: Type.Optional(
      Type.Object(
        {
          dir: Type.Optional(Type.String({ description: 'Folder of recordings', default: './data/recordings' })),
          max_per_session: Type.Optional(Size('A session is ended when its recording reaches this', '1GB')),
          max_per_principal: Type.Optional(
            Size('A principal can open no session once its recordings of one day reach this', '10GB'),
          ),
          reserve: Type.Optional(
            Size('Free disk space that recordings leave to the audit log; below it no session opens', '1GB'),
          ),
        },
        { ...strict, description: 'What was said in sessions' },
      ),
    ),
    audit: Type.Optional(
      Type.Object(
        {
          checkpoint_every: Type.Optional(
            Duration('A signed checkpoint at least this often, if anything happened', '5m', { most: '24h' }),
          ),
          checkpoint_events: Type.Optional(
            Type.Integer({ minimum: 1, description: 'And after this many events', default: 1000 }),
          ),
          anchors: Type.Optional(
            List(
              Type.Object(
                {
                  file: Type.Optional(
                    Type.String({
                      description: 'Append checkpoints to this file',
                      examples: ['/mnt/worm/sallyport-anchors.jsonl'],
                    }),
                  ),
                  stdout: Type.Optional(
                    Type.Boolean({ description: 'Print checkpoints to standard output', examples: [true] }),
                  ),
                },
                { ...strict, description: 'One place' },
              ),
              'Places that the daemon cannot rewrite, to which checkpoints go',
            ),
          ),
        },
        { ...strict, description: 'The audit log' },
      ),
    ),
    limits: Type.Optional(
      Type.Object(
        {
          sessions: Type.Optional(Type.Integer({ minimum: 1, description: 'Open sessions in all', default: 10000 })),
          sessions_per_principal: Type.Optional(
            Type.Integer({ minimum: 1, description: 'Open sessions of one principal', default: 100 }),
          ),
          sessions_per_resource: Type.Optional(
            Type.Integer({ minimum: 1, description: 'Open sessions to one resource', default: 1000 }),
          ),
          session_idle: Type.Optional(
            Duration('A session without a byte for this long is ended; 0s: never', '0s', { least: '0s', most: '24d' }),
          ),
        },
        { ...strict, description: 'Caps that keep the daemon alive' },
      ),
    ),
  },
  { ...strict, $id: 'https://sallyport.dev/config/schema.json', title: 'Sallyport configuration' },
)

type Written = Static<typeof ConfigSchema>

/** The configuration as it is written, before defaults. */
export type ConfigFile = Omit<Written, 'levels'> & { levels?: LevelFile[] }
/** TypeBox's type leaves out what `additionalProperties` allows: the levels, by their names. */
export type LevelFile = NonNullable<Written['levels']>[number] & Readonly<Record<string, unknown>>
export type RuleFile = NonNullable<ConfigFile['access']>[number]
export type ResourceFile = NonNullable<ConfigFile['resources']>[number]
export type SelectorFile = RuleFile['what']
