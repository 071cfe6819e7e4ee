import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

type Message = { id: number, command: string, given: unknown }
type Reply = { id: number, result?: unknown, error?: string }

/** A process of the benchmark, and questions to it. */
export class Helper {
  private readonly child: ChildProcess
  private readonly waiting = new Map<number, { resolve: (result: never) => void, reject: (error: Error) => void }>()
  private asked = 0

  constructor (file: string, args: readonly string[] = [], nodeOptions: readonly string[] = []) {
    this.child = fork(fileURLToPath(new URL(file, import.meta.url)), [...args], {
      execArgv: [...process.execArgv, ...nodeOptions],
      serialization: 'advanced'
    })
    this.child.on('message', ({ id, result, error }: Reply) => {
      const { resolve, reject } = this.waiting.get(id)!
      this.waiting.delete(id)
      if (error === undefined) resolve(result as never)
      else reject(new Error(`${file} ${args.join(' ')}: ${error}`))
    })
    this.child.on('exit', (code, signal) => {
      for (const { reject } of this.waiting.values()) {
        reject(new Error(`${file} ${args.join(' ')} ended with ${code ?? signal}`))
      }
    })
  }

  ask<T> (command: string, given?: unknown): Promise<T> {
    const id = ++this.asked
    return new Promise<T>((resolve, reject) => {
      this.waiting.set(id, { resolve, reject })
      this.child.send({ id, command, given } satisfies Message)
    })
  }

  stop (): Promise<void> {
    return new Promise((resolve) => {
      if (this.child.exitCode !== null || this.child.signalCode !== null) return resolve()
      this.child.once('exit', () => resolve())
      this.child.kill()
    })
  }
}

/** The other end, in the process that was started. */
export function answer (commands: { [command: string]: (given: never) => unknown }): void {
  process.on('message', ({ id, command, given }: Message) => {
    Promise.resolve().then(() => commands[command]!(given as never)).then(
      (result) => process.send!({ id, result } satisfies Reply),
      (error: Error) => process.send!({ id, error: error.stack ?? String(error) } satisfies Reply)
    )
  })
  process.on('disconnect', () => process.exit())
}
