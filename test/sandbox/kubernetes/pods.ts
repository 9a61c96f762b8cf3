import type { ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { type Program, startProgram } from './streams/program.ts'

/** What a pod has besides its object: programs are processes of this machine. */
export interface Pod {
  readonly namespace: string
  readonly name: string
  /** Temporary folder in which its programs start. Of `tar` and `test`, which `kubectl cp` runs, absolute paths are below it. */
  readonly root: string
  /** Where its ports are: TCP port of the pod → port of 127.0.0.1. At others nothing listens. */
  readonly ports: Map<number, number>
  /** Starts its main program, which `attach` attaches to; what it prints is also its log. Without one, `say` is all there is. */
  start(argv: readonly string[], options?: { readonly tty?: boolean }): void
}

/** Takes the output of the main program. */
export interface Listener {
  output(data: Buffer, isError: boolean): void
  /** The main program has ended. */
  end(): void
}

export class RunningPod implements Pod {
  readonly namespace: string
  readonly name: string
  readonly ports = new Map<number, number>()
  readonly #children = new Set<ChildProcess>()
  readonly #listeners = new Set<Listener>()
  #root: string | null = null
  #main: Program | null = null

  constructor(namespace: string, name: string) {
    this.namespace = namespace
    this.name = name
  }

  get root(): string {
    if (this.#root !== null) return this.#root
    this.#root = mkdtempSync(path.join(os.tmpdir(), `sallyport-pod-${this.name}-`))
    mkdirSync(path.join(this.#root, 'tmp'))
    return this.#root
  }

  start(argv: readonly string[], { tty = false } = {}): void {
    const main = this.run(argv, tty)
    this.#main = main
    main.stdout.on('data', (data: Buffer) => this.print(data))
    main.stderr?.on('data', (data: Buffer) => this.print(data, true))
    void main.ended.then(() => {
      this.#main = null
      for (const listener of this.#listeners) listener.end()
    })
  }

  /** A program besides the main one. */
  run(argv: readonly string[], tty: boolean): Program {
    const program = startProgram(argv, { root: this.root, tty, hostName: this.name })
    this.#children.add(program.child)
    void program.ended.then(() => this.#children.delete(program.child))
    return program
  }

  /** As the main program does. */
  print(data: Buffer, isError = false): void {
    for (const listener of this.#listeners) listener.output(data, isError)
  }

  /** @returns the main program, if there is one, and what ends it */
  listen(listener: Listener): { main: Program | null; stop(): void } {
    this.#listeners.add(listener)
    return { main: this.#main, stop: () => void this.#listeners.delete(listener) }
  }

  close(): void {
    for (const { pid } of this.#children) killGroup(pid)
    if (this.#root !== null) rmSync(this.#root, { recursive: true, force: true })
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {} // it has ended
}
