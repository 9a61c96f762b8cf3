import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { type KubernetesRule, plainVerbs, streamVerbs } from '../../../proxy/kubernetes/rules.ts'
import type { SessionBudget } from '../../../proxy/session.ts'
import type { LevelForm, Problem } from '../../catalog/kind.ts'
import { memberProblems } from '../../catalog/member-problems.ts'
import { Duration, strict } from '../../config/schema/members.ts'
import { parseDuration } from '../../config/units.ts'
import { budgetMembers, readBudget } from '../session-members.ts'

/** What an access level means on an EKS cluster. */
export interface ClusterLevel {
  /** Name of the role, with its path, in the account of the cluster; `{cluster}` stands for the name of the cluster. */
  readonly role: string
  readonly rules: readonly KubernetesRule[]
  /** Of a stream to a container; 0: that of the broker alone. */
  readonly idleTimeoutMs: number
  readonly recordsInput: boolean
  readonly isRecordingStrict: boolean
  /** Of one session; null: none. */
  readonly budget: SessionBudget | null
}

/** What the API server calls the empty text. */
const coreGroup = 'core'

const names = (what: string, description: string, pattern: string, examples: string[]) =>
  Type.Array(Type.String({ pattern }), {
    minItems: 1,
    maxItems: 100,
    uniqueItems: true,
    errorMessage: `expected a list of ${what}`,
    description,
    examples: [examples],
  })

const Rule = Type.Object(
  {
    verbs: names(
      `*, ${[...plainVerbs, ...streamVerbs].join(', ')}`,
      `Of requests, or * for all of them: ${plainVerbs.join(', ')}. Those that reach into programs, or outlive the session, must be named each: ${streamVerbs.join(', ')}`,
      `^(\\*|${[...plainVerbs, ...streamVerbs].join('|')})$`,
      ['get', 'list', 'watch'],
    ),
    groups: Type.Optional(
      names('API groups', 'API groups, or * for all', '^(\\*|[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)$', [
        coreGroup,
        'apps',
      ]),
    ),
    resources: names(
      'plural names of resources, in lower case',
      'Plural names of resources, also with a subresource (pods/log); * for all',
      '^(\\*|(\\*|[a-z][a-z0-9-]{0,62})(/(\\*|[a-z][a-z0-9-]{0,62}))?)$',
      ['pods', 'pods/log'],
    ),
    namespaces: Type.Optional(
      names(
        'names of namespaces',
        'Namespaces, also with * at their end; without *, nothing that is in no namespace, and no request for all of them. Default: *',
        '^([a-z0-9][a-z0-9-]{0,62})?\\*?$',
        ['shop', 'team-*'],
      ),
    ),
    names: Type.Optional(
      names(
        'names of objects',
        'Names of objects, also with * at their end; then no request without a name',
        '^[^*]{0,253}\\*?$',
        ['web-*'],
      ),
    ),
  },
  { ...strict, description: 'A request needs one rule that allows all of it' },
)

const schema = Type.Object(
  {
    role: Type.String({
      pattern: '^([\\w+=,.@-]{1,64}/){0,8}([\\w+=,.@-]|\\{cluster\\}){1,64}$',
      errorMessage: 'expected the name of a role, without its ARN; {cluster} stands for the name of the cluster',
      description:
        'IAM role in the account of the cluster, one for each cluster and level, which an access entry of the cluster maps; it needs no permission',
      examples: ['sallyport-{cluster}-view'],
    }),
    rules: Type.Array(Rule, {
      minItems: 1,
      maxItems: 100,
      errorMessage: 'expected a list of rules, each with verbs and resources',
      description: 'What the broker lets through; what the cluster allows the role limits it further',
    }),
    idle_timeout: Type.Optional(
      Duration('A stream to a container in which nothing passes for so long is ended', undefined, { most: '1d' }),
    ),
    record_input: Type.Optional(
      Type.Boolean({
        errorMessage: 'expected true or false',
        description: 'Whether what is typed into containers is recorded as well, passwords included',
        default: false,
        examples: [true],
      }),
    ),
    ...budgetMembers,
    recording: Type.Optional(
      Type.Union([Type.Literal('prompt'), Type.Literal('strict')], {
        errorMessage: 'expected prompt or strict',
        description: 'strict: a request is in the recording before it is forwarded; prompt: within 100 ms',
        default: 'prompt',
        examples: ['strict'],
      }),
    ),
  },
  strict,
)

const words = { noun: 'a cluster level', mapping: 'expected a mapping with role and rules' }

export const clusterLevel: LevelForm<ClusterLevel> = {
  schema,
  read: (raw) =>
    Value.Check(schema, raw) ? { ok: true, value: toLevel(raw) } : { ok: false, problems: problemsOf(raw) },
}

const ruleWords = { noun: 'a rule', mapping: 'expected a mapping with verbs and resources' }

/** Of the rules, each by itself. */
function problemsOf(raw: unknown): Problem[] {
  const problems = memberProblems(schema, raw, words)
  const rules = typeof raw === 'object' && raw !== null && 'rules' in raw && Array.isArray(raw.rules) ? raw.rules : []
  const ofRules = rules.flatMap((rule, i) =>
    Value.Check(Rule, rule)
      ? []
      : memberProblems(Rule, rule, ruleWords).map(({ path, message }) => ({
          path: path === '' ? `rules[${i}]` : `rules[${i}].${path}`,
          message,
        })),
  )
  return ofRules.length === 0 ? problems : [...problems.filter(({ path }) => path !== 'rules'), ...ofRules]
}

function toLevel(raw: Static<typeof schema>): ClusterLevel {
  return {
    role: raw.role,
    rules: raw.rules.map(toRule),
    idleTimeoutMs: parseDuration(raw.idle_timeout ?? '') ?? 0,
    recordsInput: raw.record_input ?? false,
    isRecordingStrict: raw.recording === 'strict',
    budget: readBudget(raw),
  }
}

function toRule({
  verbs,
  groups = [coreGroup],
  resources,
  namespaces = ['*'],
  names,
}: Static<typeof Rule>): KubernetesRule {
  return {
    verbs,
    groups: groups.map((group) => (group === coreGroup ? '' : group)),
    resources,
    namespaces,
    names: names ?? null,
  }
}
