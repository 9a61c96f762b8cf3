import { useState } from 'react'
import type { ConnectOptions } from '../../../contract/connect.ts'
import type { GrantView } from '../../../contract/grants.ts'
import { useAct, useAnswer } from '../../data/queries.ts'
import { Facts } from '../../parts/facts.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { Secret } from '../../parts/secret.tsx'
import { Snippet } from '../../parts/snippet.tsx'
import { Time } from '../../parts/time.tsx'
import { visible } from '../../words/en.ts'
import { screenWords } from '../../words/screens.ts'

const texts = screenWords.grants

/** Every way to use a grant, the one that takes least first. */
export function Connect({ grant }: { readonly grant: GrantView }) {
  const options = useAnswer('grants', 'GET /api/v1/connect/options', { query: { grant: grant.id } })
  if (options.error) return <ProblemNote problem={options.error} onRetry={() => void options.refetch()} />
  if (!options.data) return null
  const { data } = options
  return (
    <section className="connect" aria-labelledby="connect">
      <h2 id="connect">{texts.connect}</h2>
      <div className="actions start">
        {grant.kind === 'ec2-instance' && (
          <a className="button main" href={`/terminal/${grant.id}`} target="_blank" rel="noopener">
            {texts.terminal}
          </a>
        )}
        {grant.kind === 'iam-role' && <Console grant={grant} />}
        <Portal push={grant.push} />
      </div>
      {data.commands.length > 0 && <h3>{texts.thisMachine}</h3>}
      <ol className="steps" hidden={data.commands.length === 0}>
        <li>
          {texts.once}
          <Snippet text={data.login} />
        </li>
        {data.commands.map(({ title, command }) => (
          <li key={command}>
            {visible(title)}
            <Snippet text={command} />
          </li>
        ))}
      </ol>
      {data.protocol !== null && <NoInstall options={data} />}
    </section>
  )
}

/** Where AWS itself holds it, its portal is where it is used: once it is there. */
function Portal({ push }: Pick<GrantView, 'push'>) {
  if (push === null) return null
  const address = URL.parse(push.portal ?? '')
  if (push.state !== 'granted') return <p className="muted">{texts.push[push.state]}</p>
  if (address?.protocol !== 'https:') return <p className="muted">{texts.noPortal}</p>
  return (
    <a className="button main" href={address.href} target="_blank" rel="noopener noreferrer">
      {texts.portal}
    </a>
  )
}

/** The link is a credential: it is opened, and kept nowhere. */
function Console({ grant }: { readonly grant: GrantView }) {
  const open = useAct('POST /api/v1/aws/console', ['sessions'])
  return (
    <>
      <button
        type="button"
        className="main"
        disabled={open.isPending}
        onClick={() =>
          open.mutate(
            { body: { resource: grant.resourceId, level: grant.level } },
            { onSuccess: ({ url }) => window.open(url, '_blank', 'noopener') },
          )
        }
      >
        {open.isPending ? screenWords.asking : texts.console}
      </button>
      {open.error && <ProblemNote problem={open.error} />}
    </>
  )
}

function NoInstall({ options }: { readonly options: ConnectOptions }) {
  const issue = useAct('POST /api/v1/connect-tokens', [])
  const [showsCa, setShowsCa] = useState(false)
  if (options.host === null)
    return (
      <>
        <h3>{texts.noInstall}</h3>
        <p className="muted">{texts.noPort}</p>
      </>
    )
  const issued = issue.data
  return (
    <>
      <h3>{texts.noInstall}</h3>
      <p className="muted">{texts.noInstallHint}</p>
      {issue.error && <ProblemNote problem={issue.error} />}
      <Facts
        facts={[
          [texts.host, <code key="h">{visible(options.host)}</code>],
          [texts.port, <code key="p">{options.port}</code>],
          options.database === null ? undefined : [texts.database, <code key="d">{visible(options.database)}</code>],
          issued ? [texts.user, <code key="u">{visible(issued.user)}</code>] : undefined,
          issued ? [texts.password, <Secret key="s" text={issued.token} />] : undefined,
          issued ? [texts.until, <Time key="t" at={issued.expiresAt} form="when" />] : undefined,
        ]}
      />
      <div className="actions start">
        <button
          type="button"
          disabled={issue.isPending}
          onClick={() => issue.mutate({ body: { resource: options.resourceId, grant: options.grantId } })}
        >
          {issue.isPending ? screenWords.asking : texts.issue}
        </button>
        {options.ca !== null && (
          <button type="button" aria-expanded={showsCa} onClick={() => setShowsCa(!showsCa)}>
            {texts.ca}
          </button>
        )}
        {issued && <span className="muted">{texts.issued}</span>}
      </div>
      {showsCa && options.ca !== null && <pre className="shown">{options.ca}</pre>}
    </>
  )
}
