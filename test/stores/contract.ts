import type { Test } from 'tap'
import type { LoginStore } from '../../src/index.js'
import { limits } from './contract/limits.js'
import { model } from './contract/model.js'
import { parallel } from './contract/parallel.js'
import { records } from './contract/records.js'
import { rotation } from './contract/rotation.js'

/**
 * Everything a `LoginStore` promises, as tests of yours: `storeContract(t, () => yourStore())`. `makeStore` is asked once per
 * part; the stores may share what they store, as each test uses users of its own. It takes a few seconds.
 */
export function storeContract (t: Test, makeStore: () => LoginStore | Promise<LoginStore>): void {
  for (const [name, part] of Object.entries({ records, limits, rotation, parallel, model })) {
    t.test(name, async (t) => { await part(t, await makeStore()) })
  }
}
