import { Type } from 'typebox'
import { Address, Duration, Names, ProxyProtocol, strict, Tls, Url } from './members.ts'

export const Server = Type.Object(
  {
    listen: Type.Optional(Address('Address and port of the HTTP side', '0.0.0.0:8443', '127.0.0.1:8443')),
    public_url: Url('URL where people and clients reach the broker', 'https://access.example.com'),
    peer_url: Type.Optional(
      Url(
        'URL where other daemons on the same PostgreSQL store reach this one, past any balancer; what they say is sealed and signed by keys.dir',
        'https://10.0.1.17:8443',
      ),
    ),
    tls: Type.Optional(Tls),
    trusted_proxies: Type.Optional(
      Names('Addresses or CIDRs of proxies whose X-Forwarded-For is trusted', ['10.0.0.0/8']),
    ),
    proxy_protocol: Type.Optional(ProxyProtocol),
    metrics_listen: Type.Optional(
      Address('Address and port of /metrics, without TLS', '127.0.0.1:9464', '127.0.0.1:9464'),
    ),
    drain_delay: Type.Optional(
      Duration(
        'How long sessions still open after SIGTERM, while /readyz says already that the daemon is not ready',
        '5s',
        {
          least: '0s',
          most: '10m',
        },
      ),
    ),
    workers: Type.Optional(
      Type.Integer({
        description: 'Processes beside the one that decides, which carry sessions; 0: one process does everything',
        minimum: 0,
        maximum: 32,
        default: 0,
        examples: [1],
      }),
    ),
    drain: Type.Optional(Duration('How long sessions may continue after SIGTERM', '10m', { least: '0s', most: '24h' })),
  },
  { ...strict, description: 'The HTTP side of the daemon' },
)

const StoreTls = Type.Object(
  {
    ca: Type.Optional(
      Type.String({
        description:
          'PEM file with the authorities that the server may have its certificate of; those of Node by default',
        examples: ['/etc/sallyport/store-ca.pem'],
      }),
    ),
    cert: Type.Optional(
      Type.String({
        description: 'PEM file with the certificate that the daemon shows to the server',
        examples: ['/etc/sallyport/store-client.crt'],
      }),
    ),
    key: Type.Optional(
      Type.String({ description: 'PEM file with its private key', examples: ['/etc/sallyport/store-client.key'] }),
    ),
  },
  { ...strict, description: 'TLS to a PostgreSQL store, whose certificate is always verified' },
)

export const Store = Type.Object(
  {
    url: Type.Optional(
      Type.String({
        pattern: '^(sqlite:.+|postgres(ql)?://[^\\s]+)$',
        patternErrorMessage: 'expected sqlite:PATH or postgres://USER@HOST:PORT/DATABASE',
        writeOnly: true,
        description:
          'Where the store is: sqlite:PATH, or postgres://USER@HOST:PORT/DATABASE. `?sslmode=disable` turns off TLS to PostgreSQL',
        examples: ['sqlite:./data/sallyport.db'],
        default: 'sqlite:./data/sallyport.db',
      }),
    ),
    password: Type.Optional(
      Type.String({
        minLength: 1,
        writeOnly: true,
        description: 'Password at PostgreSQL; written as a reference to an environment variable or a file',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what people write
        examples: ['${file:/run/secrets/store-password}'],
      }),
    ),
    tls: Type.Optional(StoreTls),
    connections: Type.Optional(
      Type.Integer({
        minimum: 2,
        maximum: 500,
        default: 10,
        description: 'Connections to PostgreSQL of one daemon for queries; up to three more show that it lives',
      }),
    ),
    statement_timeout: Type.Optional(
      Duration('How long PostgreSQL may take for one statement', '10s', { least: '1s', most: '10m' }),
    ),
    lock_timeout: Type.Optional(
      Duration('How long a statement may wait for a lock of PostgreSQL', '5s', { least: '100ms', most: '10m' }),
    ),
    grace: Type.Optional(
      Duration('How long sessions continue while the store is unreachable', '30s', { least: '0s', most: '1h' }),
    ),
  },
  { ...strict, description: 'Where state is kept' },
)

export const Keys = Type.Object(
  {
    dir: Type.Optional(
      Type.String({
        description:
          'Folder of the signing, sealing and HMAC keys; created at the first start, and may be read-only afterwards',
        default: './data/keys',
      }),
    ),
  },
  { ...strict, description: 'Keys that are never in the store' },
)

export const State = Type.Object(
  {
    dir: Type.Optional(
      Type.String({
        description:
          'Folder of what the daemon remembers apart from the store; the folder `state` beside the store by default',
        examples: ['/var/lib/sallyport/state'],
      }),
    ),
  },
  { ...strict, description: 'What a restored or changed store is recognized by. Never restore it from a backup' },
)

export const Limits = Type.Object(
  {
    sessions: Type.Optional(Type.Integer({ minimum: 1, description: 'Open sessions in total', default: 10000 })),
    sessions_per_principal: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Open sessions of one principal', default: 100 }),
    ),
    sessions_per_resource: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Open sessions to one resource', default: 1000 }),
    ),
    session_idle: Type.Optional(
      Duration('A session is ended after this long without traffic; 0s: never', '0s', { least: '0s', most: '24d' }),
    ),
  },
  { ...strict, description: 'Limits that protect the daemon from overload' },
)
