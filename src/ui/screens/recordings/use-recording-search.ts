import { useCallback, useEffect, useRef, useState } from 'react'
import type { RecordingMatch, RecordingSearchEnd } from '../../../contract/recordings.ts'
import { readLines } from '../../data/lines.ts'
import { type Problem, toProblem } from '../../data/problem.ts'

interface Found {
  readonly matches: readonly RecordingMatch[]
  /** Of all pages so far; `next` of the last one. */
  readonly end?: RecordingSearchEnd | undefined
  readonly isRunning: boolean
  readonly problem?: Problem | undefined
}

interface Filters {
  readonly who: string
  readonly resource: string
}

/** Of one page. */
const mostMatches = 100
const nothing: Found = { matches: [], isRunning: false }

/** One search at a time: another one stops it. */
export function useRecordingSearch() {
  const [found, setFound] = useState(nothing)
  const running = useRef<AbortController>(undefined)
  const asked = useRef<{ readonly text: string; readonly filters: Filters }>(undefined)
  const read = useCallback(async (before: Found) => {
    running.current?.abort()
    if (!asked.current) return setFound(nothing)
    const stop = new AbortController()
    running.current = stop
    const { text, filters } = asked.current
    const body = {
      text,
      limit: mostMatches,
      ...(filters.who === '' ? {} : { who: filters.who }),
      ...(filters.resource === '' ? {} : { resource: filters.resource }),
      ...(before.end?.next ? { cursor: before.end.next } : {}),
    }
    let matches = before.matches
    let end = before.end
    const show = (more: Partial<Found>) => {
      if (!stop.signal.aborted) setFound({ matches, end, isRunning: true, ...more })
    }
    show({})
    try {
      for await (const line of readLines('POST /api/v1/recordings/search', { body }, stop.signal)) {
        const told = line as RecordingMatch | RecordingSearchEnd
        if ('next' in told) end = add(end, told)
        else matches = [...matches, told]
        show({})
      }
      show({ isRunning: false })
    } catch (error) {
      show({ isRunning: false, problem: toProblem(error) })
    }
  }, [])
  const start = useCallback(
    (text: string, filters: Filters) => {
      asked.current = text === '' ? undefined : { text, filters }
      void read(nothing)
    },
    [read],
  )
  useEffect(() => () => running.current?.abort(), [])
  const hasMore = !found.isRunning && found.end !== undefined && found.end.next !== null
  return { ...found, start, goOn: hasMore ? () => void read(found) : undefined }
}

function add(before: RecordingSearchEnd | undefined, more: RecordingSearchEnd): RecordingSearchEnd {
  return {
    next: more.next,
    recordings: (before?.recordings ?? 0) + more.recordings,
    bytes: (before?.bytes ?? 0) + more.bytes,
    unread: [...(before?.unread ?? []), ...more.unread].slice(0, 1),
    unreadCount: (before?.unreadCount ?? 0) + more.unreadCount,
  }
}
