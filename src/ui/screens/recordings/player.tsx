import { useEffect, useMemo, useRef, useState } from 'react'
import { toRequest } from '../../../contract/ask.ts'
import { useFilters } from '../../data/search.ts'
import { Replay } from '../../terminal/replay.ts'
import { screenWords } from '../../words/screens.ts'
import { position } from '../../words/times.ts'
import { type Entry, replayEvents } from './recorded.ts'

const texts = screenWords.recordings
const speeds = [1, 2, 4, 16] as const
/** The longest pause that is kept. */
const idleMs = 2000
const tickMs = 50

/** So that what an address is about is seen to come. */
const beforeMs = 1000

interface PlayerProps {
  readonly sessionId: string
  readonly entries: readonly Entry[]
}

/** A recorded terminal, with its own clock. */
export function Player({ sessionId, entries }: PlayerProps) {
  const container = useRef<HTMLDivElement>(null)
  const replay = useRef<Replay>(undefined)
  const events = useMemo(() => replayEvents(entries), [entries])
  const { search } = useFilters()
  const [at, setAt] = useState(() => positionOf(entries, search.at))
  const start = useRef(at)
  const [isPlaying, setPlaying] = useState(false)
  const [speed, setSpeed] = useState<number>(1)
  const lengthMs = events.at(-1)?.at ?? 0
  useEffect(() => {
    if (!container.current) return
    const shown = new Replay(container.current, events)
    shown.seek(start.current)
    replay.current = shown
    return () => shown.close()
  }, [events])
  useEffect(() => replay.current?.seek(at), [at])
  useEffect(() => {
    if (!isPlaying) return
    let last = performance.now()
    const timer = setInterval(() => {
      const now = performance.now()
      const passed = (now - last) * speed
      last = now
      setAt((before) => {
        const next = replay.current?.nextAt
        const skipped = next !== undefined && next - before > idleMs ? next - idleMs : before
        return Math.min(lengthMs, skipped + passed)
      })
    }, tickMs)
    return () => clearInterval(timer)
  }, [isPlaying, speed, lengthMs])
  const isOver = at >= lengthMs
  return (
    <section className="player" aria-label={texts.player}>
      <div className="emulator" ref={container} />
      <div className="controls">
        <button
          type="button"
          className="main"
          onClick={() => {
            if (isOver) setAt(0)
            setPlaying(isOver || !isPlaying)
          }}
        >
          {isPlaying && !isOver ? texts.pause : texts.play}
        </button>
        <input
          type="range"
          min={0}
          max={lengthMs}
          value={at}
          aria-label={texts.position}
          aria-valuetext={position(at)}
          onChange={({ target }) => setAt(Number(target.value))}
        />
        <span className="muted">
          {position(at)} / {position(lengthMs)}
        </span>
        <select aria-label={texts.speed} value={speed} onChange={({ target }) => setSpeed(Number(target.value))}>
          {speeds.map((one) => (
            <option key={one} value={one}>
              {one}×
            </option>
          ))}
        </select>
      </div>
      <p className="muted">
        <a href={toRequest('GET /api/v1/recordings/:sessionId/cast', { params: { sessionId } }).path} download>
          {texts.download}
        </a>{' '}
        {texts.downloadHint}
      </p>
    </section>
  )
}

/** Milliseconds from the beginning to shortly before a moment of the address. */
function positionOf(entries: readonly Entry[], moment: string | undefined): number {
  const ms = Number(moment) - (entries[0]?.at ?? 0) - beforeMs
  return moment !== undefined && Number.isFinite(ms) ? Math.max(0, ms) : 0
}
