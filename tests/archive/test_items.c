/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/archive_items.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "referral/referral.h"

/* daemon/archive may not know daemon/referral: a state that is added there must be added here. */

static void states_of_referrals_end_or_are_open_as_the_referral_says(void **unused)
{
    (void)unused;
    for (int i = REFERRAL_NONE + 1; i < REFERRAL_STATE_COUNT; i++) {
        enum referral_state state = (enum referral_state)i;
        const char *text = referral_state_text(state);
        if (archive_state_ends(text) != referral_state_is_terminal(state) ||
            archive_state_is_open(text) == referral_state_is_terminal(state)) {
            fail_msg("%s", text);
        }
    }
    assert_false(archive_state_ends("none") || archive_state_is_open("none"));
    assert_false(archive_state_ends("") || archive_state_is_open("lost"));
}

/* The words of the column `state` name them all. */
static void states_of_referrals_are_named_in_the_schema(void **unused)
{
    (void)unused;
    const struct archive_table_spec *items = &archive_tables[TABLE_ITEMS];
    const char *words = NULL;
    for (uint32_t i = 0; i < items->columns_count; i++) {
        words = strcmp(items->columns[i].name, "state") == 0 ? items->columns[i].words : words;
    }
    assert_non_null(words);
    for (int i = REFERRAL_NONE + 1; i < REFERRAL_STATE_COUNT; i++) {
        const char *text = referral_state_text((enum referral_state)i);
        if (strstr(words, text) == NULL) {
            fail_msg("%s is not in: %s", text, words);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_of_referrals_end_or_are_open_as_the_referral_says),
        cmocka_unit_test(states_of_referrals_are_named_in_the_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
