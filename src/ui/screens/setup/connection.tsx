import { useAnswer } from '../../data/queries.ts'
import { useFilters } from '../../data/search.ts'
import { Copyable } from '../../parts/copy.tsx'
import { Facts } from '../../parts/facts.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { Time } from '../../parts/time.tsx'
import { visible } from '../../words/en.ts'
import { furtherWords } from '../../words/further.ts'

const texts = furtherWords.connection
const testedMark = 'signed-in'
const back = `/setup?${testedMark}=1`
/** A new sign-in at the provider, whatever it remembers. */
const testPath = `/login?${new URLSearchParams({ max_age: '0', return_to: back })}`

/** What the identity provider and AWS are told, and whether signing in works. */
export function Connection() {
  const { search } = useFilters()
  const installation = useAnswer('setup', 'GET /api/v1/aws/installation', {})
  if (installation.error)
    return <ProblemNote problem={installation.error} onRetry={() => void installation.refetch()} />
  if (!installation.data) return null
  const { issuer, clientId, externalId, hubRoleArn } = installation.data
  const { origin } = location
  const values = [
    [texts.issuer, issuer],
    [texts.clientId, clientId],
    [texts.callback, `${origin}/callback/oidc`],
    [texts.logout, `${origin}/callback/oidc/logout`],
    [texts.externalId, externalId],
    ...(hubRoleArn === null ? [] : [[texts.hubRole, hubRoleArn] as const]),
  ] as const
  return (
    <section aria-labelledby="connection">
      <div className="heading">
        <h2 id="connection">{texts.title}</h2>
        <a className="button" href={testPath}>
          {texts.test}
        </a>
      </div>
      {search[testedMark] === '1' && <Tested />}
      <Facts
        facts={values.map(
          ([what, value]) => [what, <Copyable key={what} text={visible(value)} what={what} />] as const,
        )}
      />
    </section>
  )
}

/** Shown to who came back from the provider: the sign-in of this very page. */
function Tested() {
  const me = useAnswer('me', 'GET /api/v1/whoami', {})
  if (!me.data) return me.error ? <ProblemNote problem={me.error} /> : null
  const { principal, roles, authenticatedAt, acr, probed } = me.data
  return (
    <div className="tested" role="status">
      <p>
        {texts.works(visible(principal.name))} <Time at={authenticatedAt} />
      </p>
      <Facts
        facts={[
          [texts.email, principal.email === null ? texts.noEmail : visible(principal.email)],
          [texts.groups, principal.groups.map(visible).join(', ') || texts.noGroups],
          [texts.roles, roles.join(', ')],
          acr === null ? undefined : [texts.acr, visible(acr)],
          probed === false ? [texts.probed, texts.notProbed] : undefined,
        ]}
      />
    </div>
  )
}
