import { useEffect, useRef, useState, useSyncExternalStore } from 'react'
import type { GrantView } from '../../../contract/grants.ts'
import { Shell, type ShellState } from '../../terminal/shell.ts'
import { fontSizes } from '../../terminal/terminal.ts'

/** The shell of a grant on the element that `container` becomes; undefined before it is there. */
export function useShell({ resourceId, level }: GrantView, left: () => void) {
  const container = useRef<HTMLDivElement>(null)
  const [shell, setShell] = useState<Shell>()
  const leave = useRef(left)
  leave.current = left
  useEffect(() => {
    if (!container.current) return
    const parts = { resource: resourceId, level, fontSize: readFontSize(), left: () => leave.current() }
    const opened = new Shell(container.current, parts)
    setShell(opened)
    return () => {
      opened.close()
      setShell(undefined)
    }
  }, [resourceId, level])
  const state = useSyncExternalStore(shell?.watch ?? watchNothing, shell?.read ?? readNothing)
  return { container, shell, state }
}

const watchNothing = () => () => {}
const readNothing = (): ShellState | undefined => undefined

const fontSizeKey = 'sallyport.terminal.font-size'
const usualFontSize = 14

function readFontSize(): number {
  const stored = Number(localStorage.getItem(fontSizeKey))
  return stored >= fontSizes.least && stored <= fontSizes.most ? stored : usualFontSize
}

export function useFontSize(shell: Shell | undefined): (by: number) => void {
  const [size, setSize] = useState(readFontSize)
  return (by) => {
    const next = Math.min(fontSizes.most, Math.max(fontSizes.least, size + by))
    setSize(next)
    localStorage.setItem(fontSizeKey, String(next))
    shell?.screen.setFontSize(next)
  }
}

/** Seconds go by. */
export function useTick(): void {
  const [, setCount] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => setCount((count) => count + 1), 1000)
    return () => clearInterval(timer)
  }, [])
}
