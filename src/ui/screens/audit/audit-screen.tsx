import './audit.css'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { toRequest } from '../../../contract/ask.ts'
import type { AuditRecord } from '../../../contract/audit.ts'
import { auditTypes } from '../../../contract/audit-types.ts'
import type { Input } from '../../../contract/routes.ts'
import { shortId } from '../../data/names.ts'
import { useAct, useAnswer, useList } from '../../data/queries.ts'
import { useFilters } from '../../data/search.ts'
import { type Column, DataList } from '../../parts/data-list.tsx'
import { Facts } from '../../parts/facts.tsx'
import { State } from '../../parts/marks.tsx'
import { useNow } from '../../parts/now.ts'
import { Page } from '../../parts/page.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { Time } from '../../parts/time.tsx'
import { visible } from '../../words/en.ts'
import { screenWords } from '../../words/screens.ts'
import { ago, zone } from '../../words/times.ts'

const texts = screenWords.audit
/** Until the first check is over. */
const firstCheckMs = 2000

/** `/audit`: who did what, and whether the log is whole. */
export default function AuditScreen() {
  const { search, set, clear } = useFilters()
  const type = auditTypes.find((one) => one === search.type)
  const [since, until] = [search.from, search.to].map((text) => (text ? Date.parse(text) : Number.NaN))
  const isFiltered = Object.keys(search).some((name) => name !== 'open')
  const filters = {
    ...(type ? { type: [type] } : {}),
    ...(search.actor ? { actor: search.actor } : {}),
    ...(search.subject ? { subject: search.subject } : {}),
    ...(Number.isNaN(since) ? {} : { since }),
    ...(Number.isNaN(until) ? {} : { until }),
  }
  const list = useList('audit', 'GET /api/v1/audit/events', filters)
  const columns: Column<AuditRecord>[] = [
    { name: 'seq', head: texts.columns.seq, width: '72px', isNumber: true, cell: ({ seq }) => seq },
    {
      name: 'time',
      head: `${texts.columns.time} (${zone})`,
      width: '196px',
      cell: ({ at }) => <Time at={at} form="exact" />,
    },
    {
      name: 'type',
      head: texts.columns.type,
      width: 'minmax(0, 2fr)',
      cell: ({ seq, type: what }) => (
        <button
          type="button"
          className="plain open"
          aria-expanded={search.open === String(seq)}
          onClick={() => set({ open: search.open === String(seq) ? '' : String(seq) })}
        >
          {what}
        </button>
      ),
    },
    {
      name: 'actor',
      head: texts.columns.actor,
      width: 'minmax(0, 2fr)',
      cell: ({ actor, text }) => visible(text?.name ?? (actor.includes('_') ? shortId(actor) : actor)),
    },
    { name: 'about', head: texts.columns.about, width: 'minmax(0, 3fr)', cell: ({ fields }) => aboutOf(fields) },
  ]
  return (
    <Page title={texts.title} aside={<Proof />}>
      <form className="filters" onSubmit={(event) => event.preventDefault()}>
        <select aria-label={texts.type} value={type ?? ''} onChange={({ target }) => set({ type: target.value })}>
          <option value="">
            {texts.type}: {screenWords.any}
          </option>
          {auditTypes.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
        <Typed label={texts.actor} value={search.actor} onDone={(actor) => set({ actor })} />
        <Typed label={texts.subject} value={search.subject} onDone={(subject) => set({ subject })} />
        <label>
          {texts.from}
          <input
            type="datetime-local"
            value={search.from ?? ''}
            onChange={({ target }) => set({ from: target.value })}
          />
        </label>
        <label>
          {texts.to}
          <input type="datetime-local" value={search.to ?? ''} onChange={({ target }) => set({ to: target.value })} />
        </label>
      </form>
      <Files filters={filters} />
      <DataList
        label={texts.title}
        list={list}
        columns={columns}
        keyOf={({ seq }) => String(seq)}
        detail={(record) => search.open === String(record.seq) && <RecordDetail record={record} />}
        empty={
          isFiltered ? (
            <>
              <p>{screenWords.nothingMatches}</p>
              <button type="button" onClick={clear}>
                {screenWords.dropFilters}
              </button>
            </>
          ) : (
            <p>{texts.none}</p>
          )
        }
      />
    </Page>
  )
}

type Filters = Omit<Input<'GET /api/v1/audit/events/file', 'query'>, 'format'>

/** What is shown as a file, all pages of it, and the whole log, by which it can be verified elsewhere. */
function Files({ filters }: { readonly filters: Filters }) {
  const fileOf = (format: 'csv' | 'jsonl') =>
    toRequest('GET /api/v1/audit/events/file', { query: { ...filters, format } }).path
  return (
    <p className="files">
      <span className="muted">{texts.files}</span>
      <a href={fileOf('csv')} download>
        {texts.csv}
      </a>
      <a href={fileOf('jsonl')} download>
        {texts.jsonLines}
      </a>
      <a href={toRequest('GET /api/v1/audit/export').path} download="sallyport-audit.jsonl" title={texts.wholeHint}>
        {texts.whole}
      </a>
    </p>
  )
}

interface TypedProps {
  readonly label: string
  readonly value: string | undefined
  onDone(value: string): void
}

/** Asked for once it is whole: a name that is half typed is an error. */
function Typed({ label, value, onDone }: TypedProps) {
  return (
    <input
      key={value ?? ''}
      type="search"
      placeholder={label}
      aria-label={label}
      defaultValue={value ?? ''}
      onBlur={({ target }) => target.value.trim() !== (value ?? '') && onDone(target.value.trim())}
      onKeyDown={(event) => event.key === 'Enter' && onDone(event.currentTarget.value.trim())}
    />
  )
}

/** Whether the log is whole, as this daemon has last found. */
function Proof() {
  const now = useNow()
  // A large log takes longer than one call may: then the result is found by asking for it.
  const [since, setSince] = useState<number>()
  const check = useAct('GET /api/v1/audit/verify', ['audit'])
  const isChecking = since !== undefined
  const proof = useAnswer(
    'audit',
    'GET /api/v1/audit/proof',
    {},
    {
      againMs: ({ checkedAt }) => (checkedAt === null || isChecking ? firstCheckMs : false),
    },
  )
  if (proof.error) return <ProblemNote problem={proof.error} />
  if (!proof.data) return null
  const { ok, checkedAt, head, anchoredSeq, anchoredAt, summary } = proof.data
  if (isChecking && checkedAt !== null && checkedAt > since) setSince(undefined)
  const button = (
    <button
      type="button"
      className="small"
      disabled={isChecking}
      onClick={() => {
        setSince(checkedAt ?? 0)
        check.mutate({}, { onError: ({ code }) => code !== 'UNREACHABLE' && setSince(undefined) })
      }}
    >
      {isChecking ? texts.checking : texts.check}
    </button>
  )
  if (ok === null || checkedAt === null) return <State tone="wait" text={texts.unknown} />
  if (!ok)
    return (
      <span className="proof" title={summary ?? ''}>
        <State tone="alarm" text={texts.bad} /> {button}
      </span>
    )
  return (
    <span className="proof" title={summary ?? ''}>
      <State
        tone="good"
        text={
          anchoredSeq === null || anchoredAt === null
            ? texts.goodUnproven(head)
            : texts.good(head, anchoredSeq, ago(anchoredAt, now))
        }
      />
      <span className="muted">{texts.checked(ago(checkedAt, now))}</span>
      {button}
    </span>
  )
}

const named = ['resource', 'grant', 'request', 'session', 'principal', 'token', 'code', 'reason'] as const

function aboutOf(fields: AuditRecord['fields']): string {
  return named
    .flatMap((name) => {
      const value = fields[name]
      return typeof value === 'string' ? [/^[a-z]{3}_/.test(value) ? shortId(value) : value] : []
    })
    .map(visible)
    .join('  ')
}

function RecordDetail({ record }: { readonly record: AuditRecord }) {
  return (
    <div className="detail">
      <Facts
        facts={[
          ...Object.entries(record.fields).map(
            ([name, value]) => [name, <FieldValue key={name} value={value} />] as const,
          ),
          ...Object.entries(record.text ?? {}).map(([name, value]) => [name, visible(value)] as const),
          [texts.hash, <code key="h">{record.hash}</code>],
        ]}
      />
    </div>
  )
}

function FieldValue({ value }: { readonly value: AuditRecord['fields'][string] | undefined }) {
  const text = Array.isArray(value) ? value.join(', ') : String(value)
  if (/^grt_[0-9a-z]{26}$/.test(text))
    return (
      <Link to="/grants/$id" params={{ id: text }}>
        <code>{text}</code>
      </Link>
    )
  if (/^req_[0-9a-z]{26}$/.test(text))
    return (
      <Link to="/requests/$id" params={{ id: text }}>
        <code>{text}</code>
      </Link>
    )
  if (/^ses_[0-9a-z]{26}$/.test(text))
    return (
      <Link to="/sessions/$id" params={{ id: text }}>
        <code>{text}</code>
      </Link>
    )
  return <code>{visible(text)}</code>
}
