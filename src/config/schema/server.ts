import { Type } from 'typebox'
import { Address, Duration, Names, strict, Tls, Url } from './members.ts'

export const Server = Type.Object(
  {
    listen: Type.Optional(Address('Address and port of the HTTP side', '0.0.0.0:8443', '127.0.0.1:8443')),
    public_url: Url('URL where people and clients reach the broker', 'https://access.example.com'),
    tls: Type.Optional(Tls),
    trusted_proxies: Type.Optional(
      Names('Addresses or CIDRs of proxies whose X-Forwarded-For is trusted', ['10.0.0.0/8']),
    ),
    metrics_listen: Type.Optional(
      Address('Address and port of /metrics, without TLS', '127.0.0.1:9464', '127.0.0.1:9464'),
    ),
    drain: Type.Optional(Duration('How long sessions may continue after SIGTERM', '10m', { least: '0s', most: '24h' })),
  },
  { ...strict, description: 'The HTTP side of the daemon' },
)

export const Store = Type.Object(
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
