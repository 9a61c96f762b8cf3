import './recordings.css'
import { Link } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import type { RecordingMatch } from '../../../contract/recordings.ts'
import { useKeptText } from '../../data/kept.ts'
import { useFilters } from '../../data/search.ts'
import { Asked, readForm } from '../../parts/asked.tsx'
import { Level, ResourceName } from '../../parts/marks.tsx'
import { Page } from '../../parts/page.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { Time } from '../../parts/time.tsx'
import { visible } from '../../words/en.ts'
import { furtherWords } from '../../words/further.ts'
import { screenWords } from '../../words/screens.ts'
import { size } from '../../words/times.ts'
import { Marked } from './marked.tsx'
import { useRecordingSearch } from './use-recording-search.ts'

const texts = furtherWords.search

/** `/recordings?who&resource`: a text in what was said in sessions. That it was looked for is in the log, and each recording that has it. */
export default function SearchScreen() {
  const { search } = useFilters()
  const { text, keep } = useKeptText()
  const { who = '', resource = '' } = search
  const { matches, end, isRunning, problem, goOn, start } = useRecordingSearch()
  const [isMissing, setMissing] = useState(false)
  useEffect(() => start(text, { who, resource }), [start, text, who, resource])
  return (
    <Page title={texts.title}>
      <p className="muted apart">{texts.hint}</p>
      <form
        className="search"
        onSubmit={(event) => {
          event.preventDefault()
          const value = readForm(event.currentTarget)
          setMissing(value('text') === '')
          if (value('text') === '') return
          keep(value('text'), { who: value('who'), resource: value('resource') })
        }}
      >
        <Asked name="text" label={texts.text} hint={isMissing ? texts.missing : texts.textHint} value={text} />
        <Asked name="who" label={texts.who} hint={texts.whoHint} value={who} />
        <Asked name="resource" label={texts.resource} hint={texts.resourceHint} value={resource} />
        <button type="submit" className="main">
          {texts.search}
        </button>
      </form>
      {problem && <ProblemNote problem={problem} />}
      <ol className="hits" aria-label={texts.hits}>
        {bySession(matches).map((found) => (
          <li key={found[0]?.sessionId}>
            <Session matches={found} sought={text} />
          </li>
        ))}
      </ol>
      <div role="status">
        {isRunning && <p className="muted">{texts.running}</p>}
        {end && !isRunning && (
          <p className="muted">
            {texts.searched(matches.length, end.recordings, size(end.bytes))}{' '}
            {end.unreadCount > 0 && texts.unread(end.unreadCount, visible(end.unread[0]?.reason ?? ''))}
          </p>
        )}
      </div>
      {goOn && (
        <button type="button" onClick={goOn}>
          {texts.goOn}
        </button>
      )}
    </Page>
  )
}

/** They come session by session. */
function bySession(matches: readonly RecordingMatch[]): readonly (readonly RecordingMatch[])[] {
  const groups: RecordingMatch[][] = []
  for (const match of matches) {
    const last = groups.at(-1)
    if (last?.[0]?.sessionId === match.sessionId) last.push(match)
    else groups.push([match])
  }
  return groups
}

function Session({ matches, sought }: { readonly matches: readonly RecordingMatch[]; readonly sought: string }) {
  const [first] = matches
  if (!first) return null
  const { sessionId, principal, resourceId, level } = first
  return (
    <section aria-label={visible(principal)}>
      <p className="session">
        <strong>{visible(principal)}</strong>{' '}
        <ResourceName id={resourceId} kind={resourceId.slice(0, resourceId.indexOf('/'))} /> <Level level={level} />
      </p>
      {matches.map((match, i) => (
        <Hit key={`${sessionId}${match.at}${i}`} match={match} sought={sought} />
      ))}
    </section>
  )
}

function Hit({ match, sought }: { readonly match: RecordingMatch; readonly sought: string }) {
  const { sessionId, at, type, sql, found, isRunning } = match
  const others = found.filter(({ member }) => member !== 'sql')
  return (
    <div className="hit">
      <p>
        <Link
          to="/recordings/$id"
          params={{ id: sessionId }}
          search={(at === null ? {} : { at: String(at) }) as never}
          className="open"
        >
          {at === null ? texts.damaged : <Time at={at} form="exact" />}
        </Link>{' '}
        <span className="muted">{visible(type)}</span>{' '}
        {isRunning && <span className="muted">{screenWords.recordings.noEnd}</span>}
      </p>
      {sql !== null && (
        <pre className="sql">
          <Marked text={sql} sought={sought} />
        </pre>
      )}
      {others.map(({ member, text }) => (
        <p key={member} className="muted">
          {visible(shownMember(member))}:{' '}
          <code>
            <Marked text={text} sought={sought} />
          </code>
        </p>
      ))}
    </div>
  )
}

/** Values are shown by their numbers, as in the recording. */
function shownMember(member: string): string {
  return member.replace(/^values\[(\d+)\]/, (_, i: string) => `$${Number(i) + 1}`)
}
