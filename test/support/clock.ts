/** 2026-01-02T03:04:05Z; any whole second would do. */
export const START = 1_767_323_045_000

/** A clock that moves when told to. */
export class Clock {
  now = START
  read = () => this.now
  advance (seconds: number): void {
    this.now += seconds * 1000
  }

  get seconds (): number {
    return this.now / 1000
  }
}

export const DAY = 86_400
