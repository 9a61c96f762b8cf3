import { AwsFault } from './aws-fault.ts'

/** Parameters of AssumeRole, read from the query protocol and within the limits of the service model (`specs/aws.md` 1.1). */
export interface AssumeRoleInput {
  readonly roleArn: string
  readonly sessionName: string
  readonly externalId: string | null
  readonly durationSeconds: number
  readonly policy: string | null
  readonly policyArns: readonly string[]
  readonly tags: Readonly<Record<string, string>>
  readonly transitiveTagKeys: readonly string[]
  readonly sourceIdentity: string | null
}

const login = /^[\w+=,.@-]*$/
const external = /^[\w+=,.@:/-]*$/
const tagText = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u
// biome-ignore lint/suspicious/noControlCharactersInRegex: tab, line feed and carriage return are what AWS allows
const policyText = /^[\u0009\u000A\u000D\u0020-\u00FF]+$/
const maxPlainText = 2048
const mostArns = 10

/** @throws AwsFault ValidationError that lists every problem, InvalidParameterValue */
export function readAssumeRole(parameters: ReadonlyMap<string, string>): AssumeRoleInput {
  const problems: string[] = []
  const text = (name: string, min: number, max: number, pattern: RegExp | null) => {
    const value = parameters.get(name)
    if (value !== undefined) problems.push(...textProblems(lowerFirst(name), value, min, max, pattern))
    return value ?? null
  }
  const required = (name: string, value: string | null) => {
    if (value === null) problems.push(constraint('null', lowerFirst(name), 'Member must not be null'))
    return value ?? ''
  }
  const input = {
    roleArn: required('RoleArn', text('RoleArn', 20, maxPlainText, null)),
    sessionName: required('RoleSessionName', text('RoleSessionName', 2, 64, login)),
    externalId: text('ExternalId', 2, 1224, external),
    durationSeconds: readDuration(parameters.get('DurationSeconds'), problems),
    policy: text('Policy', 1, Number.POSITIVE_INFINITY, policyText),
    sourceIdentity: text('SourceIdentity', 2, 64, login),
  }
  const pairs = readTags(parameters, problems)
  const transitiveTagKeys = listed(parameters, 'TransitiveTagKeys')
  if (pairs.length > 50) problems.push(constraint('[…]', 'tags', 'Member must have length less than or equal to 50'))
  if (problems.length > 0) throw validation(problems)
  checkMeaning(input, pairs, transitiveTagKeys, parameters)
  const policyArns = listed(parameters, 'PolicyArns', '.arn')
  return { ...input, policyArns, tags: Object.fromEntries(pairs), transitiveTagKeys }
}

function checkMeaning(
  input: { policy: string | null; sourceIdentity: string | null; roleArn: string },
  pairs: readonly (readonly [string, string])[],
  transitive: readonly string[],
  parameters: ReadonlyMap<string, string>,
): void {
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(input.roleArn))
    throw new AwsFault('ValidationError', 400, `${input.roleArn} is invalid`)
  const arns = listed(parameters, 'PolicyArns', '.arn')
  if (arns.length > mostArns) throw invalid(`at most ${mostArns} PolicyArns`)
  if (arns.some((arn) => !/^arn:aws[a-z-]*:iam::(aws|\d{12}):policy\/[\w+=,.@/-]+$/.test(arn)))
    throw new AwsFault('ValidationError', 400, 'a PolicyArn is invalid')
  if ((input.policy?.length ?? 0) + arns.join('').length > maxPlainText)
    throw new AwsFault(
      'ValidationError',
      400,
      `1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to ${maxPlainText}`,
    )
  if (input.sourceIdentity?.toLowerCase().startsWith('aws:')) throw invalid('SourceIdentity may not start with aws:')
  const keys = pairs.map(([key]) => key.toLowerCase())
  if (keys.some((key) => key.startsWith('aws:')))
    throw invalid('aws: prefixed tag key names are not allowed for external use.')
  if (new Set(keys).size < keys.length)
    throw invalid('Duplicate tag keys found. Please note that Tag keys are case insensitive.')
  if (transitive.some((key) => !keys.includes(key.toLowerCase())))
    throw invalid('The specified transitive tag key must be included in the requested tags.')
}

function readDuration(text: string | undefined, problems: string[]): number {
  if (text === undefined) return 3600
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (!(seconds >= 900))
    problems.push(constraint(text, 'durationSeconds', 'Member must have value greater than or equal to 900'))
  if (seconds > 43_200)
    problems.push(constraint(text, 'durationSeconds', 'Member must have value less than or equal to 43200'))
  return seconds
}

function readTags(parameters: ReadonlyMap<string, string>, problems: string[]): [string, string][] {
  const keys = listed(parameters, 'Tags', '.Key')
  return keys.map((key, index) => {
    const member = `tags.${index + 1}.member`
    const value = parameters.get(`Tags.member.${index + 1}.Value`)
    problems.push(...textProblems(`${member}.key`, key, 1, 128, tagText))
    if (value === undefined) problems.push(constraint('null', `${member}.value`, 'Member must not be null'))
    else problems.push(...textProblems(`${member}.value`, value, 0, 256, tagText))
    return [key, value ?? '']
  })
}

/** `NAME.member.1SUFFIX`, `NAME.member.2SUFFIX`, … up to the first gap. */
function listed(parameters: ReadonlyMap<string, string>, name: string, suffix = ''): string[] {
  const values: string[] = []
  for (;;) {
    const value = parameters.get(`${name}.member.${values.length + 1}${suffix}`)
    if (value === undefined) return values
    values.push(value)
  }
}

function textProblems(at: string, value: string, min: number, max: number, pattern: RegExp | null): string[] {
  const problems: string[] = []
  if (value.length < min)
    problems.push(constraint(value, at, `Member must have length greater than or equal to ${min}`))
  if (value.length > max) problems.push(constraint(value, at, `Member must have length less than or equal to ${max}`))
  if (pattern && !pattern.test(value))
    problems.push(constraint(value, at, `Member must satisfy regular expression pattern: ${pattern.source}`))
  return problems
}

function constraint(value: string, at: string, rule: string): string {
  return `Value '${value}' at '${at}' failed to satisfy constraint: ${rule}`
}

function validation(problems: readonly string[]): AwsFault {
  const count = `${problems.length} validation error${problems.length > 1 ? 's' : ''} detected`
  return new AwsFault('ValidationError', 400, `${count}: ${problems.join('; ')}`)
}

function invalid(message: string): AwsFault {
  return new AwsFault('InvalidParameterValue', 400, message)
}

const lowerFirst = (name: string) => name.charAt(0).toLowerCase() + name.slice(1)
