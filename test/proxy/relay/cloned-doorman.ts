/**
 * A doorman in another process, as far as what crosses is concerned: everything is cloned, errors cross as facts, and each call
 * and push takes 5 ms. Calls and pushes keep their order, as on one socket.
 */
import type { Doorman, SessionControls } from '../../../proxy/doorman.ts'
import { fromErrorFacts, toErrorFacts } from '../../../proxy/session.ts'

const delayMs = 5

function later(run: () => void): void {
  setTimeout(run, delayMs)
}

/** Resolves when all that was sent before has arrived. */
export function crossed(): Promise<void> {
  return new Promise((resolve) => later(resolve))
}

function crossing<Args extends unknown[], Result>(call: (...args: Args) => Promise<Result>) {
  return (...args: Args): Promise<Result> => {
    const sent = structuredClone(args)
    return new Promise((resolve, reject) => {
      later(() => {
        call(...sent).then(
          (result) => {
            const answered = structuredClone(result)
            later(() => resolve(answered))
          },
          (error: unknown) => {
            const facts = structuredClone(toErrorFacts(error))
            later(() => reject(fromErrorFacts(facts)))
          },
        )
      })
    })
  }
}

function push<Args extends unknown[]>(call: (...args: Args) => void) {
  return (...args: Args): void => {
    const sent = structuredClone(args)
    later(() => call(...sent))
  }
}

/** What a front is given for the doorman of control. */
export function clonedDoorman(doorman: Doorman): Doorman {
  return {
    place: structuredClone(doorman.place),
    tokenKeys: crossing((id) => doorman.tokenKeys(id)),
    identify: crossing((claim, client) => doorman.identify(claim, client)),
    open: crossing((ask) => doorman.open(ask)),
    lease: crossing((id, failed) => doorman.lease(id, failed)),
    leaseToEnd: crossing((id) => doorman.leaseToEnd(id)),
    openTunnel: crossing((ask) => doorman.openTunnel(ask)),
    tunnelTicket: crossing((id) => doorman.tunnelTicket(id)),
    endTunnel: crossing((id) => doorman.endTunnel(id)),
    channelTicket: crossing((id, command) => doorman.channelTicket(id, command)),
    channelKey: crossing((id, ask) => doorman.channelKey(id, ask)),
    endChannel: crossing((id) => doorman.endChannel(id)),
    resumeKey: crossing((id) => doorman.resumeKey(id)),
    resume: crossing((ask) => doorman.resume(ask)),
    started: crossing((id, detail) => doorman.started(id, detail)),
    end: crossing((id, end) => doorman.end(id, end)),
    cancel: crossing((ask) => doorman.cancel(ask)),
    stop: crossing((ask) => doorman.stop(ask)),
    mayCancel: crossing((id, from) => doorman.mayCancel(id, from)),
    cancelled: push((id, from) => doorman.cancelled(id, from)),
    refused: push((ask, error) => doorman.refused(ask, error)),
    unidentifiedClientFailed: push((code, client) => doorman.unidentifiedClientFailed(code, client)),
    phase: push((kind, phase, seconds) => doorman.phase(kind, phase, seconds)),
    report: push((report) => doorman.report(report)),
  }
}

/** What control is given for the controls of a front. */
export function clonedControls(controls: SessionControls): SessionControls {
  return {
    cut: push((id, notice) => controls.cut(id, notice)),
    runsUntil: push((id, endsAt) => controls.runsUntil(id, endsAt)),
    tell: crossing((id, text) => controls.tell(id, text)),
    drain: push(() => controls.drain()),
    cancel: crossing((ask) => controls.cancel(ask)),
    stop: crossing((ask) => controls.stop(ask)),
    endLost: crossing((lost) => controls.endLost(lost)),
  }
}
