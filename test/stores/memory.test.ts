import t from 'tap'
import { memoryStore } from '../../src/index.js'
import { storeContract } from './contract.js'

storeContract(t, () => memoryStore())
