// biome-ignore-all lint/a11y/useSemanticElements: rows are placed one by one, which those of a table element cannot be
// biome-ignore-all lint/a11y/useFocusableInteractive: these are rows and heads of a table, not of a grid
import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { type CSSProperties, type ReactNode, useEffect, useLayoutEffect, useRef, useState } from 'react'
import type { Listed } from '../data/queries.ts'
import { screenWords } from '../words/screens.ts'
import { ProblemNote } from './problem-note.tsx'

export interface Column<T> {
  readonly name: string
  readonly head: string
  /** Of the grid, e.g. `2fr` or `96px`. */
  readonly width: string
  readonly isNumber?: boolean
  cell(item: T): ReactNode
}

interface DataListProps<T> {
  readonly label: string
  readonly list: Listed<T>
  readonly columns: readonly Column<T>[]
  readonly empty: ReactNode
  keyOf(item: T, index: number): string
  /** Whether the address is about it: the first one is in view, and all are marked. */
  isHere?(item: T): boolean
  /** Shown beneath a row that is open. */
  detail?(item: T): ReactNode
}

const rowPx = 37

/** A table of which only what is in view is drawn; on narrow screens each row is a card. */
export function DataList<T>({ label, list, columns, empty, keyOf, isHere, detail }: DataListProps<T>) {
  const body = useRef<HTMLDivElement>(null)
  const [marginPx, setMarginPx] = useState(0)
  const { items, more, isLoading, isLoadingMore, problem, reload } = list
  useLayoutEffect(() => setMarginPx(body.current?.offsetTop ?? 0), [])
  const virtual = useWindowVirtualizer({
    count: items.length,
    estimateSize: () => rowPx,
    overscan: 10,
    scrollMargin: marginPx,
    getItemKey: (index) => keyOf(items[index] as T, index),
  })
  const rows = virtual.getVirtualItems()
  const lastShown = rows.at(-1)?.index ?? 0
  useEffect(() => {
    if (more && !isLoadingMore && items.length > 0 && lastShown >= items.length - 20) more()
  }, [more, isLoadingMore, items.length, lastShown])
  const here = isHere ? items.findIndex(isHere) : -1
  useEffect(() => {
    if (here >= 0) virtual.scrollToIndex(here, { align: 'center' })
  }, [virtual, here])
  useRowKeys(body)
  if (problem && items.length === 0) return <ProblemNote problem={problem} onRetry={reload} />
  if (isLoading) return <Bars />
  if (items.length === 0) return <div className="empty">{empty}</div>
  const grid = { '--columns': columns.map(({ width }) => width).join(' ') } as CSSProperties
  return (
    <>
      {problem && <ProblemNote problem={problem} onRetry={reload} />}
      <div className="list" role="table" aria-label={label} aria-rowcount={list.capped ? -1 : list.total + 1}>
        <div className="head" role="row" style={grid} aria-rowindex={1}>
          {columns.map(({ name, head, isNumber }) => (
            <span key={name} role="columnheader" className={isNumber ? `number h-${name}` : `h-${name}`}>
              {head}
            </span>
          ))}
        </div>
        <div ref={body} className="body" role="rowgroup" style={{ height: `${virtual.getTotalSize()}px` }}>
          {rows.map(({ index, key, start }) => {
            const item = items[index] as T
            return (
              <div
                key={key}
                ref={virtual.measureElement}
                data-index={index}
                className="placed"
                role="none"
                style={{ transform: `translateY(${start - marginPx}px)` }}
              >
                <div
                  className={isHere?.(item) ? 'row here' : 'row'}
                  role="row"
                  style={grid}
                  aria-rowindex={index + 2}
                  aria-current={isHere?.(item) ? 'location' : undefined}
                >
                  {columns.map(({ name, head, isNumber, cell }) => (
                    <span
                      key={name}
                      role="cell"
                      className={isNumber ? `number c-${name}` : `c-${name}`}
                      data-head={head}
                    >
                      {cell(item)}
                    </span>
                  ))}
                </div>
                <Detail content={detail?.(item)} />
              </div>
            )
          })}
        </div>
      </div>
      <p className="count muted" role="status">
        {isLoadingMore ? screenWords.loading : screenWords.of(items.length, list.total, list.capped)}
      </p>
    </>
  )
}

/** A row of one cell, since a table has nothing else. */
function Detail({ content }: { readonly content: ReactNode }) {
  if (content === undefined || content === null || content === false) return null
  return (
    <div role="row">
      <div role="cell">{content}</div>
    </div>
  )
}

/** Shaped like rows, and not before it takes a moment. */
export function Bars() {
  return (
    <div className="bars" role="status" aria-label={screenWords.loading}>
      {['a', 'b', 'c', 'd', 'e'].map((key) => (
        <div key={key} />
      ))}
    </div>
  )
}

/** `j` and `k` go from row to row, by the first link of each. */
function useRowKeys(body: React.RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.key !== 'j' && event.key !== 'k') || isTyping(event)) return
      const links = [...(body.current?.querySelectorAll<HTMLElement>('.row .open') ?? [])]
      const at = links.indexOf(document.activeElement as HTMLElement)
      const next = links[at === -1 ? 0 : at + (event.key === 'j' ? 1 : -1)]
      if (!next) return
      event.preventDefault()
      next.focus()
      next.scrollIntoView({ block: 'nearest' })
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [body])
}

/** Single keys are text in fields, and part of chords with others. */
export function isTyping({ target, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  if (ctrlKey || metaKey || altKey) return true
  return target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable], dialog *')
}
