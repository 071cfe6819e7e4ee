import neostandard, { plugins } from 'neostandard'

export default [
  ...neostandard({ ts: true, ignores: ['dist/**', '.tap/**', '.tshy/**', '.tshy-build/**'] }),
  {
    files: ['**/*.ts'],
    plugins: { '@typescript-eslint': plugins['typescript-eslint'].plugin },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      // JWT claims are spelt as the RFCs spell them.
      camelcase: ['error', { allow: ['auth_time'], properties: 'never' }]
    }
  }
]
