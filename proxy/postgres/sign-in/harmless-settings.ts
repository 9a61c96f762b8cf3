/**
 * Settings that any role may change for its own session anyway, in lower case as PostgreSQL compares them. Left out on
 * purpose: `role`, `session_authorization`, `local_preload_libraries`, `password_encryption`, `log_*`, `debug_*`.
 */
const names: ReadonlySet<string> = new Set(
  `
  array_nulls bytea_output check_function_bodies client_connection_check_interval client_encoding client_min_messages
  commit_siblings datestyle default_table_access_method default_tablespace default_text_search_config
  default_toast_compression default_transaction_deferrable default_transaction_isolation default_transaction_read_only
  escape_string_warning extra_float_digits gin_fuzzy_search_limit gin_pending_list_limit idle_in_transaction_session_timeout
  idle_session_timeout intervalstyle lc_monetary lc_numeric lc_time lock_timeout quote_all_identifiers row_security
  search_path statement_timeout synchronize_seqscans synchronous_commit tcp_keepalives_count tcp_keepalives_idle
  tcp_keepalives_interval tcp_user_timeout temp_tablespaces timezone transaction_timeout transform_null_equals
  xmlbinary xmloption

  constraint_exclusion cpu_index_tuple_cost cpu_operator_cost cpu_tuple_cost cursor_tuple_fraction
  default_statistics_target effective_cache_size effective_io_concurrency from_collapse_limit geqo geqo_effort
  geqo_generations geqo_pool_size geqo_seed geqo_selection_bias geqo_threshold hash_mem_multiplier jit jit_above_cost
  jit_inline_above_cost jit_optimize_above_cost join_collapse_limit logical_decoding_work_mem maintenance_io_concurrency
  maintenance_work_mem max_parallel_maintenance_workers max_parallel_workers max_parallel_workers_per_gather
  min_parallel_index_scan_size min_parallel_table_scan_size parallel_leader_participation parallel_setup_cost
  parallel_tuple_cost plan_cache_mode random_page_cost recursive_worktable_factor seq_page_cost stats_fetch_consistency
  temp_buffers work_mem
`
    .trim()
    .split(/\s+/),
)

/** Switches of the planner's methods: `enable_seqscan` … */
const plannerMethod = /^enable_[a-z_]{1,48}$/

/** Settings of extensions and applications, e.g. `app.tenant`; the server checks the privileges that extensions demand. */
const qualified = /^[a-z_][a-z0-9_$]*\.[a-z_][a-z0-9_$]*$/

/** @param name in lower case */
export function isHarmless(name: string): boolean {
  return names.has(name) || plannerMethod.test(name) || qualified.test(name)
}

/** Harmless with their default only: poolers repeat what the server told them. Off, they change how statements are read. */
export const onlyOn: ReadonlySet<string> = new Set(['standard_conforming_strings'])
