import './recordings.css'
import { Link } from '@tanstack/react-router'
import { useEffect, useMemo, useState } from 'react'
import { useKeptText } from '../../data/kept.ts'
import { readLines } from '../../data/lines.ts'
import { nameOf } from '../../data/names.ts'
import { type Problem, toProblem } from '../../data/problem.ts'
import { useFilters } from '../../data/search.ts'
import { type Column, DataList } from '../../parts/data-list.tsx'
import { State } from '../../parts/marks.tsx'
import { Page } from '../../parts/page.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { Snippet } from '../../parts/snippet.tsx'
import { Time } from '../../parts/time.tsx'
import { sentence, visible } from '../../words/en.ts'
import { screenWords } from '../../words/screens.ts'
import { clockOf, zone } from '../../words/times.ts'
import { Player } from './player.tsx'
import { type Entry, isTerminal, otherMembers, type Recording, readRecording, textOf } from './recorded.ts'

const texts = screenWords.recordings

/** `/recordings/SESSION`: statement by statement, or the terminal as it was. Opening it is in the log. */
export default function RecordingScreen({
  params: { id = '' },
}: {
  readonly params: Readonly<Record<string, string>>
}) {
  const { recording, problem, count } = useRecording(id)
  if (problem)
    return (
      <Page title={texts.title}>
        <ProblemNote problem={problem} />
      </Page>
    )
  if (!recording)
    return (
      <Page title={texts.title}>
        <p role="status" className="muted">
          {screenWords.loading} {count > 0 && texts.entries(count)}
        </p>
      </Page>
    )
  const { session, verified } = recording.header
  return (
    <Page
      title={texts.one(visible(session.principal), visible(nameOf(session.resourceId)))}
      aside={<State tone={verified.ok ? 'good' : 'alarm'} text={verified.ok ? texts.verified : texts.notVerified} />}
    >
      {!verified.ok && verified.problem !== undefined && (
        <p className="problem" role="alert">
          {sentence(verified.problem)}
        </p>
      )}
      <p className="muted">
        {visible(session.level)}, <Time at={session.openedAt} form="exact" />
        {session.endedAt !== null && (
          <>
            {' '}
            – <Time at={session.endedAt} form="exact" /> ({session.endReason})
          </>
        )}
        , {texts.entries(verified.entries)}
      </p>
      {!recording.isWhole && (
        <>
          <p className="note">{texts.cutOff}</p>
          <Snippet text={`sallyport recordings play ${session.id}`} />
        </>
      )}
      {isTerminal(recording) ? (
        <Player sessionId={session.id} entries={recording.entries} />
      ) : (
        <Entries entries={recording.entries} />
      )}
    </Page>
  )
}

function useRecording(id: string) {
  const [recording, setRecording] = useState<Recording>()
  const [problem, setProblem] = useState<Problem>()
  const [count, setCount] = useState(0)
  useEffect(() => {
    const stop = new AbortController()
    const lines = readLines('GET /api/v1/recordings/:sessionId', { params: { sessionId: id } }, stop.signal)
    readRecording(lines, setCount).then(setRecording, (error: unknown) => {
      if (!stop.signal.aborted) setProblem(toProblem(error))
    })
    return () => stop.abort()
  }, [id])
  return { recording, problem, count }
}

const columns: readonly Column<Entry>[] = [
  {
    name: 'time',
    head: `${texts.columns.time} (${zone})`,
    width: '128px',
    cell: ({ at }) =>
      at === undefined ? (
        ''
      ) : (
        <Link to="." search={{ at: String(at) } as never} className="open" title={texts.thisMoment} resetScroll={false}>
          {clockOf(at)}
        </Link>
      ),
  },
  { name: 'what', head: texts.columns.what, width: '112px', cell: ({ type }) => visible(type ?? '') },
  {
    name: 'statement',
    head: texts.columns.statement,
    width: 'minmax(0, 1fr)',
    cell: (entry) => <Statement entry={entry} />,
  },
  {
    name: 'ms',
    head: texts.columns.ms,
    width: '88px',
    isNumber: true,
    cell: ({ ms }) => (ms === undefined ? '' : `${ms} ms`),
  },
  { name: 'outcome', head: texts.columns.outcome, width: '200px', cell: (entry) => <Outcome entry={entry} /> },
]

function Entries({ entries }: { readonly entries: readonly Entry[] }) {
  const { search, set } = useFilters()
  const { text, keep } = useKeptText()
  const sought = text.toLowerCase()
  const onlyErrors = search.errors === 'true'
  const items = useMemo(
    () => entries.filter((one) => (!onlyErrors || one.error) && (sought === '' || textOf(one).includes(sought))),
    [entries, onlyErrors, sought],
  )
  return (
    <>
      <div className="filters">
        <input
          type="search"
          aria-label={screenWords.search}
          placeholder={texts.hint}
          value={text}
          onChange={({ target }) => keep(target.value)}
        />
        <label>
          <input
            type="checkbox"
            checked={onlyErrors}
            onChange={({ target }) => set({ errors: target.checked ? 'true' : '' })}
          />
          {texts.errorsOnly}
        </label>
      </div>
      <DataList
        key={`${sought}${onlyErrors}`}
        label={texts.title}
        columns={columns}
        isHere={({ at }) => search.at !== undefined && String(at) === search.at}
        keyOf={(_, index) => String(index)}
        empty={<p>{entries.length === 0 ? texts.none : screenWords.nothingMatches}</p>}
        list={{
          ...{ items, total: entries.length, capped: false, more: undefined },
          ...{ isLoading: false, isLoadingMore: false, problem: undefined, reload: () => undefined },
        }}
      />
    </>
  )
}

function Statement({ entry }: { readonly entry: Entry }) {
  const { sql, values = [] } = entry
  return (
    <>
      {sql !== undefined && <pre className="sql">{visibleLines(sql)}</pre>}
      {values.map((value, i) => (
        <div key={i} className="muted">
          <code>
            ${i + 1} = {value === null ? 'NULL' : visible(JSON.stringify(value))}
          </code>
        </div>
      ))}
      {otherMembers(entry).map(([name, value]) => (
        <div key={name} className="muted">
          {visible(name)}: <code>{visible(value)}</code>
        </div>
      ))}
    </>
  )
}

function visibleLines(text: string): string {
  return text.split('\n').map(visible).join('\n')
}

function Outcome({ entry: { error, begun, unsent, tags = [], rows } }: { readonly entry: Entry }) {
  if (error) return <State tone="bad" text={visible(`${error.code} ${error.message}`)} />
  if (begun) return <span className="muted">{texts.noEnd}</span>
  if (unsent) return <span className="muted">{texts.unsent}</span>
  return visible(tags.join(', ') || (rows === undefined ? '' : texts.rows(rows)))
}
