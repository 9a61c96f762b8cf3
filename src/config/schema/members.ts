import { type TSchema, Type } from 'typebox'

/**
 * Members of which the schemas of the configuration and of the kinds are made. Every property carries a `description` (one
 * sentence, with the unit) and, where it has one, a `default`. Durations are text such as `30s`, sizes such as `1GB`; they are
 * numbers (ms, bytes) only after `load`. Annotations: `patternErrorMessage` is what editors and `config check` say, `x-least` and
 * `x-most` bound a duration, `writeOnly` marks a secret that no message may repeat, `x-file` a file, `examples` feed the fixes.
 */
export const strict = { additionalProperties: false } as const
const port = '([0-9]|[1-9][0-9]{1,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])'

/** @param bounds least and most, both included; by default 1 second and 10 years */
export const Duration = (description: string, fallback?: string, bounds: { least?: string; most?: string } = {}) =>
  Type.String({
    pattern: '^[0-9]{1,8}(ms|s|m|h|d)$',
    patternErrorMessage: 'expected a duration such as 30s, 10m, 8h or 7d',
    description,
    'x-least': bounds.least ?? '1s',
    'x-most': bounds.most ?? '3650d',
    examples: [fallback ?? '15m'],
    ...(fallback ? { default: fallback } : {}),
  })
export const Size = (description: string, fallback: string) =>
  Type.String({
    pattern: '^[0-9]{1,6}(KB|MB|GB)$',
    patternErrorMessage: 'expected a size such as 500KB, 100MB or 1GB',
    description,
    examples: [fallback],
    default: fallback,
  })
export const Address = (description: string, example: string, fallback?: string) =>
  Type.String({
    pattern: `^(\\[[0-9a-fA-F:.]+\\]|[^:\\s\\[\\]]+):${port}$`,
    patternErrorMessage: 'expected HOST:PORT with a port of 0–65535',
    description,
    examples: [example],
    ...(fallback ? { default: fallback } : {}),
  })
export const Url = (description: string, example: string) =>
  Type.String({
    pattern: '^https?://[^\\s]+$',
    patternErrorMessage: 'expected a URL that begins with https:// or http://',
    description,
    examples: [example],
  })
export const RoleArn = (description: string) =>
  Type.String({
    pattern: '^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\\w+=,.@/-]+$',
    patternErrorMessage: 'expected the ARN of an IAM role',
    description,
    examples: ['arn:aws:iam::111122223333:role/sallyport/Name'],
  })
export const RoleName = (description: string, fallback?: string) =>
  Type.String({
    pattern: '^([\\w+=,.@-]+/)*[\\w+=,.@-]{1,64}$',
    patternErrorMessage: 'expected the name of an IAM role, with its path if it has one',
    description,
    examples: ['sallyport/SallyportConnect'],
    ...(fallback ? { default: fallback } : {}),
  })
export const Partition = (description: string) =>
  Type.String({
    pattern: '^aws(-[a-z]+)*$',
    patternErrorMessage: 'expected an AWS partition: aws, aws-cn or aws-us-gov',
    description,
    default: 'aws',
  })
export const List = <T extends TSchema>(item: T, description: string) => Type.Array(item, { description })
export const Names = (description: string, example: readonly string[], fallback?: readonly string[]) =>
  Type.Array(Type.String({ minLength: 1 }), {
    description,
    examples: [example],
    ...(fallback ? { default: fallback } : {}),
  })

/** Of one port. */
export const ProxyProtocol = Names(
  'Addresses or CIDRs of load balancers that put a header of the PROXY protocol, version 2, before each connection; what comes from them without one is closed',
  ['10.0.9.0/24'],
)

export const Tls = Type.Object(
  {
    cert: Type.String({
      description: 'PEM file with the certificate chain; reloaded when it changes',
      examples: ['/etc/sallyport/tls.crt'],
    }),
    key: Type.String({ description: 'PEM file with the private key', examples: ['/etc/sallyport/tls.key'] }),
  },
  { ...strict, description: 'Certificate and key' },
)
