import './setup.css'
import type { Validation } from '../../../contract/aws.ts'
import { type Item, useAct, useAnswer, useList } from '../../data/queries.ts'
import { useFilters } from '../../data/search.ts'
import { CopyButton } from '../../parts/copy.tsx'
import { type Column, DataList } from '../../parts/data-list.tsx'
import { State, type Tone } from '../../parts/marks.tsx'
import { Page } from '../../parts/page.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { Time } from '../../parts/time.tsx'
import { sentence, visible } from '../../words/en.ts'
import { screenWords } from '../../words/screens.ts'
import { Connection } from './connection.tsx'
import { ReloadPlan } from './reload-plan.tsx'

const texts = screenWords.setup
type Subject = Item<'GET /api/v1/validations/subjects'>

const scopeTones = { waiting: 'wait', reading: 'wait', good: 'good', failed: 'bad' } as const
const statusTones: Readonly<Record<Validation['status'], Tone>> = {
  ok: 'good',
  warning: 'wait',
  failed: 'bad',
  unknown: 'over',
}

/** `/setup`: what is read of AWS, what is missing there, and what to do. */
export default function SetupScreen() {
  const { search, set } = useFilters()
  const subjects = useList('setup', 'GET /api/v1/validations/subjects', {})
  const failing = search.failed === 'true'
  const items = failing ? subjects.items.filter(({ failed }) => failed > 0) : subjects.items
  const columns: Column<Subject>[] = [
    {
      name: 'subject',
      head: texts.columns.subject,
      width: 'minmax(0, 3fr)',
      cell: ({ subject }) => (
        <button
          type="button"
          className="plain open"
          aria-expanded={search.open === subject}
          onClick={() => set({ open: search.open === subject ? '' : subject })}
        >
          {visible(subject)}
        </button>
      ),
    },
    {
      name: 'failed',
      head: texts.columns.failed,
      width: '96px',
      cell: ({ failed, ranAt }) =>
        ranAt === null ? '–' : <State tone={failed > 0 ? 'bad' : 'good'} text={String(failed)} />,
    },
    { name: 'warnings', head: texts.columns.warnings, width: '72px', isNumber: true, cell: ({ warnings }) => warnings },
    { name: 'unknown', head: texts.columns.unknown, width: '80px', isNumber: true, cell: ({ unknown }) => unknown },
    { name: 'ok', head: texts.columns.ok, width: '72px', isNumber: true, cell: ({ ok }) => ok },
    {
      name: 'ran',
      head: texts.columns.ran,
      width: '112px',
      isNumber: true,
      cell: ({ ranAt }) => (ranAt === null ? '–' : <Time at={ranAt} />),
    },
  ]
  return (
    <Page title={texts.title}>
      <Connection />
      <Scopes />
      <ReloadPlan />
      <div className="heading">
        <h2>{texts.checks}</h2>
        <label>
          <input
            type="checkbox"
            checked={failing}
            onChange={({ target }) => set({ failed: target.checked ? 'true' : '' })}
          />
          {texts.failedOnly}
        </label>
      </div>
      <DataList
        key={String(failing)}
        label={texts.checks}
        list={{ ...subjects, items, total: failing ? items.length : subjects.total }}
        columns={columns}
        keyOf={({ subject }) => subject}
        detail={({ subject }) => search.open === subject && <Checks subject={subject} />}
        empty={<p>{failing ? texts.allGood : texts.none}</p>}
      />
    </Page>
  )
}

function Scopes() {
  const scopes = useAnswer('setup', 'GET /api/v1/inventory/scopes', { query: {} })
  const sync = useAct('POST /api/v1/inventory/sync', ['setup', 'resources'])
  if (scopes.error) return <ProblemNote problem={scopes.error} onRetry={() => void scopes.refetch()} />
  if (!scopes.data) return null
  const { items } = scopes.data
  return (
    <section aria-labelledby="read">
      <div className="heading">
        <h2 id="read">{texts.read}</h2>
        {items.length > 0 && (
          <button type="button" disabled={sync.isPending} onClick={() => sync.mutate({ query: {} })}>
            {sync.isPending ? screenWords.asking : texts.syncNow}
          </button>
        )}
      </div>
      {sync.error && <ProblemNote problem={sync.error} />}
      {items.length === 0 && <p className="empty">{texts.readNone}</p>}
      <ul className="scopes">
        {items.map(({ scope, state, goodAt, resources, missing, error, fix }) => (
          <li key={scope}>
            <span className="name">{visible(scope)}</span>
            <State tone={scopeTones[state]} text={texts.scope[state]} />
            <span className="muted">
              {texts.resources(resources)}
              {missing > 0 && `, ${texts.missing(missing)}`}
            </span>
            <span className="muted">{goodAt === null ? '' : <Time at={goodAt} />}</span>
            {error !== null && (
              <p className="note">
                {sentence(error)} {fix !== null && sentence(fix)}{' '}
                {fix !== null && <CopyButton text={visible(fix)} what={visible(scope)} isSmall />}
              </p>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}

/** What fails comes first. */
function Checks({ subject }: { readonly subject: string }) {
  const found = useAnswer('setup', 'GET /api/v1/validations', { query: { subject, limit: 1000 } })
  const run = useAct('POST /api/v1/validations/run', ['setup'])
  const order: readonly Validation['status'][] = ['failed', 'warning', 'unknown', 'ok']
  const sorted = [...(found.data?.items ?? [])].sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status))
  return (
    <div className="detail checks">
      <div className="actions start">
        <button type="button" disabled={run.isPending} onClick={() => run.mutate({ body: { subject } })}>
          {run.isPending ? screenWords.asking : texts.again}
        </button>
      </div>
      {(found.error ?? run.error) && (
        <ProblemNote problem={(found.error ?? run.error) as NonNullable<typeof run.error>} />
      )}
      <ul>
        {sorted.map(({ check, status, severity, detail, why, fix }) => (
          <li key={check}>
            <State tone={statusTones[status]} text={texts.status[status]} />
            <div>
              <code>{visible(check)}</code>{' '}
              {status !== 'ok' && <span className="muted">{texts.severity[severity]}</span>}
              {status !== 'ok' && (
                <>
                  <p>{sentence(detail)}</p>
                  <p className="muted">
                    {texts.why}: {sentence(why)}
                  </p>
                  {fix !== null && (
                    <p>
                      {texts.fix}: {sentence(fix)} <CopyButton text={visible(fix)} what={visible(check)} isSmall />
                    </p>
                  )}
                </>
              )}
            </div>
          </li>
        ))}
      </ul>
    </div>
  )
}
